"""The studies of the book: the comparison and the ablations of ETRIS, small.

Each repeats the rows of a table of the paper (Xu et al., 2023) on the small CLIP pair and the drawn
world. The paper trains on RefCOCO with CLIP RN101 for 50 epochs; the budget here is a few minutes
a run, the same for every row.
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
    return {"image_tuning": method, "text_tuning": method, "tuning_options": options}


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

BRIDGERS = Study(
    name="etris-bridgers",
    summary="how many Bridgers, and where (ETRIS, Table 4)",
    runs=tuple(
        Run("stages-" + "".join(str(stage) for stage in stages), MINI, {"stages": stages})
        for stages in ((1,), (2,), (3,), (1, 2), (2, 3), (1, 2, 3))
    ),
)

# on the ResNet: only there do the stages differ in size
ZOOM = Study(
    name="etris-zoom",
    summary="kinds of Zoom Layer (ETRIS, Table 5), on the ResNet",
    runs=tuple(
        Run(kind, "etris-mini-rn", {"zoom": kind})
        for kind in ("linear", "interpolate", "mlp", "deconv")
    ),
)

MODULES = Study(
    name="etris-modules",
    summary="one module left out (ETRIS, Table 6)",
    runs=(
        Run("no-neck", MINI, {"neck": "last"}),
        Run("no-decoder", MINI, {"decoder_layers": 0}),
        Run("no-bridger", MINI, NO_BRIDGER),
        Run("all", MINI),
    ),
)

WIDTH = Study(
    name="etris-width",
    summary="the Bridger's width (ETRIS, Table 7)",
    runs=tuple(
        Run(f"width-{width}", MINI, {"bridger_width": width}) for width in (8, 16, 32, 64, 128)
    ),
)

LINK = Study(
    name="etris-paper-and-code",
    summary="where paper and released code of ETRIS differ",
    runs=(
        Run("released", MINI),
        Run("link-outputs", MINI, {"link": "outputs"}),
        Run("link-none", MINI, {"link": "none"}),
        Run("padding-masked", MINI, {"mask_padding": True}),
        Run("tables-frozen", MINI, {"position_tables": False}),
    ),
)

STUDIES: dict[str, Study] = {
    study.name: study for study in (PET, BRIDGERS, ZOOM, MODULES, WIDTH, LINK)
}
