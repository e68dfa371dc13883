"""The studies of the book; here the comparison and the ablations of ETRIS, small.

Each repeats the rows of a table of the paper (Xu et al., 2023) on the small CLIP pair and the drawn
world. The paper trains on RefCOCO with CLIP RN101 for 50 epochs; the budget here is a few minutes
per run, the same for every row. So few steps do not teach left and right, so the set is
refscenes+, whose expressions name no places. A row without overrides is the same run in all
studies, and made once. Such shared rows have three seeds everywhere; the ablations' own rows have
one, which shows large differences only.
"""

from collections.abc import Mapping
from typing import Any

from risbook.registry import Registry
from risbook.studies.adapter_methods import ADAPTER_METHODS
from risbook.studies.detris_ablations import DETRIS_ABLATIONS, DETRIS_RATES
from risbook.studies.few_labels import FEW_LABELS, FEW_LABELS_RATES
from risbook.studies.study import Run, Study
from risbook.studies.three_systems import SYSTEMS_RATES, THREE_SYSTEMS

MINI = "etris-mini"
SEEDS = (0, 1, 2)

#: Without any Bridger, only neck, decoder and projector learn.
NO_BRIDGER: Mapping[str, Any] = {"bridger.stages": ()}

#: Width of the bottlenecks: a quarter of the towers', as in the paper's comparison.
BOTTLENECK: Mapping[str, Any] = {"bottleneck_dim": 32}


def _peft(method: str, **options: Any) -> dict[str, Any]:
    """One method in both towers."""
    peft = {"method": method, "options": options}
    return {"image_peft": peft, "text_peft": peft}


#: Generic methods in place of the Bridgers.
_METHODS: Mapping[str, Mapping[str, Any]] = {
    "frozen": NO_BRIDGER,
    "full": {**NO_BRIDGER, **_peft("full")},
    "houlsby": {**NO_BRIDGER, **_peft("houlsby", **BOTTLENECK)},
    "parallel": {**NO_BRIDGER, **_peft("parallel", **BOTTLENECK)},
    "adaptformer": {**NO_BRIDGER, **_peft("adaptformer", **BOTTLENECK)},
    "bitfit": {**NO_BRIDGER, **_peft("bitfit")},
    "layer-norm": {**NO_BRIDGER, **_peft("layer-norm")},
    "prompts": {**NO_BRIDGER, **_peft("prompts")},
    "lora": {**NO_BRIDGER, **_peft("lora")},
    "etris": {},
    "houlsby-etris": _peft("houlsby", **BOTTLENECK),
}

PET = Study(
    name="etris-pet",
    summary="ways to tune two towers (ETRIS, Tables 2 and 8)",
    system=MINI,
    runs=tuple(Run(key, overrides, SEEDS) for key, overrides in _METHODS.items()),
)

# Whether one rate for all rows is fair to both ends of the comparison, its best row and ETRIS.
# With seed 0 every rate; the other studies' rate and the best have three seeds.
_RATES: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "frozen": {"1e-3": SEEDS, "2e-3": (0,), "4e-3": (0,), "8e-3": SEEDS},
    "full": {"3e-4": (0,), "1e-3": SEEDS, "2e-3": SEEDS, "4e-3": (0,), "8e-3": (0,)},
    "parallel": {"1e-3": SEEDS, "2e-3": (0,), "4e-3": (0,), "8e-3": SEEDS},
    "etris": {"3e-4": (0,), "1e-3": SEEDS, "2e-3": (0,), "4e-3": (0,), "8e-3": SEEDS},
}

RATES = Study(
    name="etris-rates",
    summary="learning rates of both ends, of parallel adapters and of ETRIS",
    system=MINI,
    runs=tuple(
        Run(f"{key}-{rate}", _METHODS[key], seeds, learning_rate=float(rate))
        for key, rates in _RATES.items()
        for rate, seeds in rates.items()
    ),
)

ZOOM = Study(
    name="etris-zoom",
    summary="kinds of Zoom Layer (ETRIS, Table 5), on the ResNet",
    system="etris-mini-rn",  # only in a ResNet do the stages differ in size
    runs=(
        Run("linear", {"bridger.zoom": "linear"}),
        Run("interpolate", {"bridger.zoom": "interpolate"}),
        Run("mlp", {"bridger.zoom": "mlp"}),
        Run("deconv"),
    ),
)

MODULES = Study(
    name="etris-modules",
    summary="one module left out (ETRIS, Table 6)",
    system=MINI,
    runs=(
        Run("no-neck", {"head.neck": "last"}),
        Run("no-decoder", {"head.num_layers": 0}),
        Run("no-bridger", NO_BRIDGER, SEEDS),
        Run("all", seeds=SEEDS),
    ),
)

STUDIES: Registry[Study] = Registry(
    "study",
    {
        study.name: study
        for study in (
            PET,
            RATES,
            ZOOM,
            MODULES,
            FEW_LABELS_RATES,
            FEW_LABELS,
            SYSTEMS_RATES,
            THREE_SYSTEMS,
            ADAPTER_METHODS,
            DETRIS_RATES,
            DETRIS_ABLATIONS,
        )
    },
)
