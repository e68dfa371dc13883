"""Rename the entries of a checkpoint of the released ETRIS to our own names.

The towers are renamed by `risbook.towers.weights.loading`; neck, decoder and projector keep their
names below ``head.``. Which names are kept follows one rule: modules that mirror the released code
layer by layer keep its names (`fusion3`, `f3_proj`, `multihead_attn`), so that both can be read
side by side; Bridgers, whose parts the paper names, have the paper's words.
"""

import re
from collections.abc import Mapping

from torch import Tensor

from risbook.errors import DataError
from risbook.systems.released_head import rename_head_entry
from risbook.towers.weights.loading import convert

#: Parts of the Bridgers: the released name, our own, and the stage of the released index 0. A norm
#: belongs to the link between two stages, and the first link leads to stage 2.
BRIDGER_PARTS = {
    "zoom_in": ("zoom_in", 1),
    "zoom_out": ("zoom_out", 1),
    "linear1": ("text_in", 1),
    "linear2": ("text_out", 1),
    "fusion_v": ("image_interactor", 1),
    "fusion_t": ("text_interactor", 1),
    "ln_v": ("image_norm", 2),
    "ln_t": ("text_norm", 2),
}


def rename_etris(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the entries of a released ETRIS.

    Args:
        state: names and values of the released model; a leading "module." is dropped.

    Returns:
        Our own names and the values.

    Raises:
        DataError: names an unknown entry.
    """
    resnet = any("backbone.visual.attnpool." in name for name in state)
    renamed: dict[str, Tensor] = {}
    towers: dict[str, Tensor] = {}
    for published, value in state.items():
        name = published.removeprefix("module.")
        if name.startswith("backbone.") and name != "backbone.logit_scale":
            towers[name.removeprefix("backbone.")] = value
        else:
            renamed[_rename(name, resnet=resnet)] = value
    families = {
        "image_tower": "clip-resnet" if resnet else "clip-vit",
        "text_tower": "clip-text",
    }
    for part, family in families.items():
        converted = convert(towers, family)
        renamed |= {f"{part}.{name}": value for name, value in converted.items()}
    return renamed


def _rename(name: str, *, resnet: bool) -> str:
    """The name of an entry outside the towers."""
    if name == "backbone.logit_scale":
        return "logit_scale"
    if head_name := rename_head_entry(name):
        return head_name
    match = re.fullmatch(r"bridger\.(\w+)\.(\d{1,4})\.(.+)", name)
    if match is None or match[1] not in BRIDGER_PARTS:
        raise DataError(f"{name}: not an entry of a released ETRIS")
    part, first_stage = BRIDGER_PARTS[match[1]]
    if resnet and part.startswith("zoom"):
        part += ".0"  # released: the convolution itself; here: a sequence that holds only it
    return f"bridgers.stages.{int(match[2]) + first_stage}.{part}.{match[3]}"
