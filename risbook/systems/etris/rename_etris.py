"""Rename the entries of a checkpoint of the released ETRIS to our own names.

The towers are renamed by `risbook.towers.published_formats`; neck, decoder and projector keep their
names below ``head.``. Which names are kept follows one rule: modules that mirror the released code
layer by layer keep its names (`fusion3`, `f3_proj`, `multihead_attn`), so that both can be read
side by side; Bridgers, whose parts the paper names, have the paper's words.
"""

import re
from collections.abc import Mapping

from torch import Tensor

from risbook.errors import DataError
from risbook.systems.released_code import ReleasedCode
from risbook.systems.released_names import add_entry, rename_head_entry, rename_tower
from risbook.towers.stages import Modality

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
        state: names, without "module.", and values of the released model.

    Returns:
        Our own names and the values.

    Raises:
        DataError: names an unknown entry.
    """
    resnet = any(name.startswith("backbone.visual.attnpool.") for name in state)
    renamed: dict[str, Tensor] = {}
    towers: dict[Modality, dict[str, Tensor]] = {"image": {}, "text": {}}
    for published, value in state.items():
        name = published.removeprefix("backbone.")
        if name != published and name != "logit_scale":
            towers["image" if name.startswith("visual.") else "text"][name] = value
        else:
            ours = _rename(published, resnet=resnet)
            add_entry(renamed, ours, value, published=published)
    image_family = "clip-resnet" if resnet else "clip-vit"
    renamed |= rename_tower(towers["image"], image_family, "image", prefix="backbone.")
    return renamed | rename_tower(towers["text"], "clip-text", "text", prefix="backbone.")


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


RELEASED_ETRIS = ReleasedCode(
    repository="kkakkkka/ETRIS",
    license="mit",
    max_tokens={"refcoco": 17, "refcoco+": 17, "refcocog_u": 22, "refcocog_g": 22},
    rename=rename_etris,
)
