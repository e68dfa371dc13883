"""The studies of the book: the comparison and the ablations of ETRIS, small.

Each repeats the rows of a table of the paper (Xu et al., 2023) on the small CLIP pair and the drawn
world. The paper trains on RefCOCO with CLIP RN101 for 50 epochs; the budget here is a few minutes
a run, the same for every row. In so few steps nobody learns left from right, so the set is the one
whose expressions name no places, refscenes+. A row that changes nothing says so by having no
changes: it is then the same run in all studies, and made once. Such shared rows have their three
seeds everywhere; the ablations' own rows make do with one, which tells large differences only.
"""

from collections.abc import Mapping
from typing import Any

from risbook.studies.study import Run, Study

SEEDS = (0, 1, 2)
MINI = "etris-mini"
#: width of the bottlenecks: a quarter of the towers', as in the paper's comparison
HIDDEN = 32

#: without any Bridger, only neck, decoder and projector learn
NO_BRIDGER: Mapping[str, Any] = {"stages": ()}


def _tuned(method: str, **options: Any) -> dict[str, Any]:
    given = {"tuning_options": options} if options else {}
    return {"image_tuning": method, "text_tuning": method, **given}


def _alone(method: str, **options: Any) -> dict[str, Any]:
    return {**NO_BRIDGER, **_tuned(method, **options)}


PET = Study(
    name="etris-pet",
    summary="ways to tune two towers (ETRIS, Tables 2 and 8)",
    runs=(
        Run("frozen", MINI, NO_BRIDGER, SEEDS),
        Run("full", MINI, _alone("full"), SEEDS),
        Run("houlsby", MINI, _alone("houlsby", hidden=HIDDEN), SEEDS),
        Run("parallel", MINI, _alone("parallel", hidden=HIDDEN), SEEDS),
        Run("adaptformer", MINI, _alone("adaptformer", hidden=HIDDEN), SEEDS),
        Run("bitfit", MINI, _alone("bitfit"), SEEDS),
        Run("layer-norm", MINI, _alone("layer-norm"), SEEDS),
        Run("prompts", MINI, _alone("prompts"), SEEDS),
        Run("lora", MINI, _alone("lora"), SEEDS),
        Run("etris", MINI, {}, SEEDS),
        Run("houlsby-etris", MINI, _tuned("houlsby", hidden=HIDDEN), SEEDS),
    ),
)

#: both ends of the comparison, its best row, and ETRIS
_RATED: Mapping[str, Mapping[str, Any]] = {
    "frozen": NO_BRIDGER,
    "full": _alone("full"),
    "parallel": _alone("parallel", hidden=HIDDEN),
    "etris": {},
}
#: rates that each of them is tried at, with one seed
_RATES: Mapping[str, float] = {"2e-3": 2e-3, "4e-3": 4e-3, "8e-3": 8e-3}
#: the best of these, found with seed 0; it and the other studies' rate have three seeds
_BEST = {"frozen": "8e-3", "full": "2e-3", "parallel": "8e-3", "etris": "8e-3"}

# whether one rate for all rows is fair to them
RATES = Study(
    name="etris-rates",
    summary="learning rates of both ends, of parallel adapters and of ETRIS",
    runs=(
        Run("full-3e-4", MINI, _RATED["full"], learning_rate=3e-4),
        Run("etris-3e-4", MINI, _RATED["etris"], learning_rate=3e-4),
        *(Run(f"{key}-1e-3", MINI, changes, SEEDS) for key, changes in _RATED.items()),
        *(
            Run(
                f"{key}-{told}",
                MINI,
                changes,
                SEEDS if told == _BEST[key] else (0,),
                learning_rate=rate,
            )
            for told, rate in _RATES.items()
            for key, changes in _RATED.items()
        ),
    ),
)

BRIDGERS = Study(
    name="etris-bridgers",
    summary="how many Bridgers, and where (ETRIS, Table 4)",
    runs=(
        Run("stages-1", MINI, {"stages": (1,)}),
        Run("stages-2", MINI, {"stages": (2,)}),
        Run("stages-3", MINI, {"stages": (3,)}),
        Run("stages-12", MINI, {"stages": (1, 2)}),
        Run("stages-23", MINI, {"stages": (2, 3)}),
        Run("stages-123", MINI, {}, SEEDS),
    ),
)

# on the ResNet: only there do the stages differ in size
ZOOM = Study(
    name="etris-zoom",
    summary="kinds of Zoom Layer (ETRIS, Table 5), on the ResNet",
    runs=(
        Run("linear", "etris-mini-rn", {"zoom": "linear"}),
        Run("interpolate", "etris-mini-rn", {"zoom": "interpolate"}),
        Run("mlp", "etris-mini-rn", {"zoom": "mlp"}),
        Run("deconv", "etris-mini-rn"),
    ),
)

MODULES = Study(
    name="etris-modules",
    summary="one module left out (ETRIS, Table 6)",
    runs=(
        Run("no-neck", MINI, {"neck": "last"}),
        Run("no-decoder", MINI, {"decoder_layers": 0}),
        Run("no-bridger", MINI, NO_BRIDGER, SEEDS),
        Run("all", MINI, {}, SEEDS),
    ),
)

WIDTH = Study(
    name="etris-width",
    summary="the Bridger's width (ETRIS, Table 7)",
    runs=(
        Run("width-8", MINI, {"bridger_width": 8}),
        Run("width-16", MINI, {"bridger_width": 16}),
        Run("width-32", MINI, {}, SEEDS),
        Run("width-64", MINI, {"bridger_width": 64}),
        Run("width-128", MINI, {"bridger_width": 128}),
    ),
)

LINK = Study(
    name="etris-paper-and-code",
    summary="where paper and released code of ETRIS differ",
    runs=(
        Run("released", MINI, {}, SEEDS),
        Run("link-outputs", MINI, {"link": "outputs"}),
        Run("link-none", MINI, {"link": "none"}),
        Run("interactor-full", MINI, {"interactor": "full"}),
        Run("decoder-sentence", MINI, {"decoder_reads": "sentence"}),
        Run("padding-masked", MINI, {"mask_padding": True}),
        Run("tables-frozen", MINI, {"position_tables": False}),
    ),
)

STUDIES: dict[str, Study] = {
    study.name: study for study in (PET, RATES, BRIDGERS, ZOOM, MODULES, WIDTH, LINK)
}
