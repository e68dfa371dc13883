"""What the parts of DETRIS are worth: one part of a small DETRIS left out or changed.

The rows repeat what the paper's ablations are about (Huang et al., 2025): Dense Aligners and Text
Adapters, the kernels of D-MoC, the adapted blocks, the widths, and generic methods of tuning on the
same two towers. Both towers are frozen, DINOv2-S and the small CLIP text tower; the mask head
learns in every run. Data, loss, batch, arithmetic and evaluation are those of the study
"few-labels-rates", at its amount of 2,000 images with 1,000 steps; three seeds per row.

Each row needs its own best learning rate. The study "detris-rates" compares four rates for every
group of rows, with 500 images and one seed. Its best rate on the split val goes into `BEST_RATES`;
until then every row has `FIRST_RATE`, and a comparison of rows is not yet a fair one. A best rate
at the edge of the grid asks for a wider grid.

No run of these two studies is recorded yet.
"""

from collections.abc import Mapping
from typing import Any

from risbook.studies.few_labels import BUDGET, RATE_IMAGES, STEPS
from risbook.studies.study import Run, Study

SYSTEM = "detris-s"
SEEDS = (0, 1, 2)
NUM_IMAGES = 2000
#: Two trial runs of `detris-s` (batches of 16, gradients clipped to 1, stopped before their 240
#: steps; not recorded): a loss of 0.83 after 108 steps at 1e-3, of 0.95 at 3e-3.
RATES = ("5e-4", "1e-3", "2e-3", "4e-3")
FIRST_RATE = "1e-3"

_NO_ALIGNER: Mapping[str, Any] = {"aligner.blocks": ()}
_NO_TEXT_ADAPTER: Mapping[str, Any] = {"text_adapter.blocks": ()}
_NO_ADAPTER: Mapping[str, Any] = {**_NO_ALIGNER, **_NO_TEXT_ADAPTER}


def _both(field: str, value: Any) -> dict[str, Any]:
    """One field of both adapters."""
    return {f"aligner.{field}": value, f"text_adapter.{field}": value}


def _peft(method: str, **options: Any) -> dict[str, Any]:
    """A generic method in both towers in place of DETRIS' adapters."""
    peft = {"method": method, "options": options}
    return {**_NO_ADAPTER, "image_peft": peft, "text_peft": peft}


#: Rows by group; rows of one group share the rate that "detris-rates" finds for its first row.
GROUPS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "detris": {
        "detris": {},
        "no-text-adapter": _NO_TEXT_ADAPTER,
        "no-aligner": _NO_ALIGNER,
        # the kernels of D-MoC, in both adapters
        "kernel-1": _both("kernel_sizes", (1,)),
        "kernels-1-3": _both("kernel_sizes", (1, 3)),
        "kernels-1-3-5-7": _both("kernel_sizes", (1, 3, 5, 7)),
        "no-squeeze": _both("squeeze", False),
        # what the output of D-MoC is added to, and the wiring that the figure of the paper draws
        "mixture-in-the-sum": {"aligner.add_mixture": True},
        "figure-wiring": {"aligner.wiring": "figure", **_both("scale", 1.0)},
        # the adapted blocks
        "first-blocks": _both("blocks", (1, 3, 5)),
        "last-blocks": _both("blocks", (7, 9, 11)),
        "last-two-blocks": _both("blocks", (9, 11)),
        "all-blocks": _both("blocks", tuple(range(12))),
        # the width: half, and twice that of `detris`
        "half-width": {"aligner.bottleneck_dim": 32, "text_adapter.bottleneck_dim": 16},
        "double-width": {"aligner.bottleneck_dim": 128, "text_adapter.bottleneck_dim": 64},
    },
    "frozen": {"frozen": _NO_ADAPTER},
    "lora": {"lora": _peft("lora", r=8)},
    "parallel": {"parallel": _peft("parallel", bottleneck_dim=32)},
    "adaptformer": {"adaptformer": _peft("adaptformer", bottleneck_dim=32)},
    "houlsby": {"houlsby": _peft("houlsby", bottleneck_dim=32)},
    "full": {"full": _peft("full")},
}

#: The rate of each group of highest mIoU on val; empty until "detris-rates" is recorded.
BEST_RATES: Mapping[str, str] = {}


def _make_run(
    key: str, overrides: Mapping[str, Any], rate: str, num_images: int, seeds: tuple[int, ...]
) -> Run:
    return Run(
        key,
        overrides,
        seeds,
        learning_rate=float(rate),
        steps=STEPS[num_images],
        num_images=num_images,
        system=SYSTEM,
        # What lower blocks without an adapter compute is kept. Gradients are clipped as in the
        # recorded run of `detris-s`.
        training={"cache_frozen": True, "max_grad_norm": 1.0},
    )


_BUDGET: Mapping[str, Any] = {**BUDGET, "system": SYSTEM}

DETRIS_RATES = Study(
    name="detris-rates",
    summary="learning rates for the ablations of DETRIS, 500 images",
    runs=tuple(
        _make_run(f"{group}-{rate}", rows[group], rate, RATE_IMAGES, SEEDS[:1])
        for group, rows in GROUPS.items()
        for rate in RATES
    ),
    **_BUDGET,
)

DETRIS_ABLATIONS = Study(
    name="detris-ablations",
    summary="parts of DETRIS left out or changed, and generic methods, 2,000 images",
    runs=tuple(
        _make_run(key, overrides, BEST_RATES.get(group, FIRST_RATE), NUM_IMAGES, SEEDS)
        for group, rows in GROUPS.items()
        for key, overrides in rows.items()
    ),
    **_BUDGET,
)
