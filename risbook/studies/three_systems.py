"""ETRIS, DETRIS and MiCA on the same two towers, with the same head and the same budget.

The shipped models of the book stand on different towers, so their scores do not say which adapters
are worth more. Here all three tune the small CLIP pair of the label study and carry its mask head;
what differs is what stands between and inside the towers. Frozen towers with the same head are the
baseline. Data, loss, batch, arithmetic and evaluation are those of `risbook.studies.few_labels`,
whose runs of `frozen` and `etris` are not made again.

The papers use DINOv2 for DETRIS and MiCA. On a CLIP tower these two keep their own blocks, widths
and taps; only the image tower is exchanged.

The study "systems-rates" compares rates with 500 images and one seed. Its best rate on the split
val goes into `BEST_RATES`; until then a system has `FIRST_RATE`, and no comparison is a fair one.
"""

from collections.abc import Mapping
from typing import Any

from risbook.studies import few_labels
from risbook.studies.study import Run, Study

SEEDS = (0, 1, 2)
#: training images of the comparison, with the steps of `few_labels.STEPS`
AMOUNTS = (500, 2000)
RATES = ("1e-3", "2e-3", "4e-3")
FIRST_RATE = "2e-3"

#: In place of the small DINOv2 the image tower of the label study; its text tower these two have
#: anyway. Their necks add their input to their output; here every neck is that of ETRIS.
_CLIP_PAIR: Mapping[str, Any] = {
    "image_tower": "clip-mini-40k-image",
    "head.neck_options": {},
}
#: preset, overrides and further fields of the training of each system
SYSTEMS: Mapping[str, tuple[str, Mapping[str, Any], Mapping[str, Any]]] = {
    "frozen": few_labels.METHODS["frozen"],
    "etris": few_labels.METHODS["etris"],
    "detris": ("detris-mini", _CLIP_PAIR, {"cache_frozen": True}),
    "mica": ("mica-mini", _CLIP_PAIR, {"cache_frozen": True}),
}

#: The rate of each system of highest mIoU on val with seed 0; those of "systems-rates" are open.
BEST_RATES: Mapping[str, str] = {
    system: few_labels.BEST_RATES.get(system, FIRST_RATE) for system in SYSTEMS
}


def _run(key: str, system: str, num_images: int, rate: str, seeds: tuple[int, ...]) -> Run:
    preset, overrides, training = SYSTEMS[system]
    return Run(
        key,
        overrides,
        seeds,
        learning_rate=float(rate),
        system=preset,
        steps=few_labels.STEPS[num_images],
        num_images=num_images,
        training=training,
    )


SYSTEMS_RATES = Study(
    name="systems-rates",
    summary="learning rates of DETRIS and MiCA on the small CLIP pair, 500 images",
    runs=tuple(
        _run(f"{system}-{rate}", system, few_labels.RATE_IMAGES, rate, (0,))
        for system in ("detris", "mica")
        for rate in RATES
    ),
    **few_labels.BUDGET,
)

THREE_SYSTEMS = Study(
    name="systems",
    summary="ETRIS, DETRIS and MiCA on the same towers, 500 and 2,000 images",
    runs=tuple(
        _run(f"{system}-{num_images}", system, num_images, rate, SEEDS)
        for num_images in AMOUNTS
        for system, rate in BEST_RATES.items()
    ),
    **few_labels.BUDGET,
)
