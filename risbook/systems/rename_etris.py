"""A checkpoint of the released ETRIS under our names.

The towers' names are those of `risbook.towers.renames`; neck, decoder and projector keep theirs.
"""

import re
from collections.abc import Mapping

from torch import Tensor

from risbook.errors import DataError
from risbook.towers.renames import rename

#: their names (up to the stage's number, counted from 0, and behind it) and ours
_BRIDGER = {
    "zoom_in": "zoom_in",
    "zoom_out": "zoom_out",
    "linear1": "text_in",
    "linear2": "text_out",
    "fusion_v": "image_interactor",
    "fusion_t": "text_interactor",
    "ln_v": "image_norm",
    "ln_t": "text_norm",
}
#: a norm's number is that of the link; the first link leads to the second stage
_LATER = {"ln_v": 2, "ln_t": 2}
_KEPT = ("neck.", "decoder.")


def rename_etris(state: Mapping[str, Tensor], *, resnet: bool) -> dict[str, Tensor]:
    """Bring a released ETRIS to our names.

    Args:
        state: names and values of the released model; a leading "module." is dropped.
        resnet: whether its image tower is a ResNet.

    Returns:
        Our names and values.

    Raises:
        DataError: names an entry that is not known.
    """
    ours: dict[str, Tensor] = {}
    towers: dict[str, Tensor] = {}
    for name, value in state.items():
        name = name.removeprefix("module.")
        if name == "backbone.logit_scale":
            ours["logit_scale"] = value
        elif name.startswith("backbone."):
            towers[name] = value
        elif name.startswith(_KEPT):
            ours[name] = value
        elif name.startswith("proj."):
            ours[f"projector.{name.removeprefix('proj.')}"] = value
        else:
            ours[_bridger(name)] = value
    family = "clip-resnet" if resnet else "clip-vit"
    for part, kind in (("image_tower", family), ("text_tower", "clip-text")):
        renamed = rename(towers, family=kind, prefix="backbone.")  # type: ignore[arg-type]
        ours |= {f"{part}.{name}": value for name, value in renamed.items()}
    return ours


def _bridger(name: str) -> str:
    match = re.fullmatch(r"bridger\.(\w+)\.(\d+)\.(.+)", name)
    if match is None or match[1] not in _BRIDGER:
        raise DataError(f"{name}: no part of a released ETRIS")
    stage = int(match[2]) + _LATER.get(match[1], 1)
    return f"bridgers.stages.{stage}.{_BRIDGER[match[1]]}.{match[3]}"
