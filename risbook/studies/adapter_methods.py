"""How the score depends on the method of tuning and on the number of weights that it tunes.

All methods change both towers of a small ETRIS without Bridgers; neck, decoder and projector learn
in every run. Budget, set and evaluation are those of the study "few-labels-rates", with 500 images.
Its runs of `frozen`, `full` and `parallel` are taken over, not repeated.

Each method is trained at every rate of its grid with seed 0. The rate with the highest mIoU on the
split val goes into `BEST_RATES`, and the runs of this rate have three seeds. The two test splits
take no part in this choice. A best rate at the edge of a grid asks for a wider grid.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from risbook.studies.few_labels import (
    BUDGET,
    FEW_LABELS_RATES,
    RATE_IMAGES,
    RATES,
    SEEDS,
    STEPS,
    tune_both_towers,
)
from risbook.studies.study import Run, Study

#: methods whose runs at each rate are those of the study "few-labels-rates"
SHARED_METHODS = ("frozen", "full", "parallel")

#: Bottlenecks are a quarter as wide as the towers, as in "few-labels-rates".
_BOTTLENECK: Mapping[str, Any] = {"bottleneck_dim": 32}

#: name of a method here -> its name in `PEFT_METHODS`, and its options
METHODS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    # as in their paper, with the layer norms
    "houlsby": ("houlsby", {**_BOTTLENECK, "layer_norms": True}),
    "adaptformer": ("adaptformer", _BOTTLENECK),
    "lora": ("lora", {"r": 8}),
    "bitfit": ("bitfit", {}),
    "layer-norm": ("layer-norm", {}),
    "prompts-deep": ("prompts-deep", {"num_prompts": 16}),
}

#: Learning rates of each method, ascending; one rate for the method and the mask head.
METHOD_RATES: Mapping[str, tuple[str, ...]] = {
    **{method: RATES[method] for method in SHARED_METHODS},
    **dict.fromkeys(METHODS, ("2e-3", "4e-3", "8e-3")),
}

#: The rate of highest mIoU on val with seed 0; empty until the runs with seed 0 are recorded.
BEST_RATES: Mapping[str, str] = {}


def _make_runs(method: str) -> list[Run]:
    """A run of a method at each of its rates; that at its best rate has three seeds."""
    shared = {run.key: run for run in FEW_LABELS_RATES.runs}
    runs = []
    for rate in METHOD_RATES[method]:
        key = f"{method}-{rate}"
        seeds = SEEDS if BEST_RATES.get(method) == rate else SEEDS[:1]
        if method in SHARED_METHODS:
            runs.append(replace(shared[key], seeds=seeds))
            continue
        name, options = METHODS[method]
        overrides = tune_both_towers(name, **options)
        runs.append(
            Run(
                key,
                overrides,
                seeds,
                learning_rate=float(rate),
                steps=STEPS[RATE_IMAGES],
                num_images=RATE_IMAGES,
            )
        )
    return runs


ADAPTER_METHODS = Study(
    name="adapter-methods",
    summary="nine ways of tuning both towers, each at its own rate, 500 images",
    runs=tuple(run for method in METHOD_RATES for run in _make_runs(method)),
    **BUDGET,
)
