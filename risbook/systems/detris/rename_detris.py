"""Rename the entries of a checkpoint of the released DETRIS to our own names.

The towers are renamed by `risbook.towers.weights.loading`, the adapters by
`risbook.adapters.rename_dense_adapters`; neck, decoder and projector keep their names below
``head.``.
"""

import re
from collections.abc import Mapping

from torch import Tensor

from risbook.adapters.rename_dense_adapters import rename_adapter_entry
from risbook.errors import DataError
from risbook.systems.part_names import tower_attribute
from risbook.systems.released_head import rename_head_entry
from risbook.towers.stages import Modality
from risbook.towers.weights.loading import convert

#: beginnings of the released names of each tower, and the family that renames what follows
TOWER_PREFIXES: dict[Modality, tuple[str, str]] = {
    "image": ("dinov2.", "dinov2"),
    "text": ("txt_backbone.", "clip-text"),
}


def rename_detris(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the entries of a released DETRIS.

    Args:
        state: names and values of the released model; a leading "module." is dropped.

    Returns:
        Our own names and the values.

    Raises:
        DataError: names an unknown entry.
    """
    renamed: dict[str, Tensor] = {}
    towers: dict[Modality, dict[str, Tensor]] = {"image": {}, "text": {}}
    for published, value in state.items():
        name = published.removeprefix("module.")
        modality = _modality_of(name)
        if modality is None:
            head_name = rename_head_entry(name)
            if head_name is None:
                raise DataError(f"{name}: not an entry of a released DETRIS")
            renamed[head_name] = value
            continue
        name = name.removeprefix(TOWER_PREFIXES[modality][0])
        if adapter := re.fullmatch(r"(?:transformer\.res)?blocks\.(\d{1,4})\.adapter\.(.+)", name):
            site = f"{tower_attribute(modality)}.adapters.{int(adapter[1])}_mlp.adapter"
            renamed[f"{site}.{rename_adapter_entry(adapter[2])}"] = value
        elif name in ("logit_scale", "mask_token"):
            renamed[name] = value
        else:
            towers[modality][name] = value
    if "pos_embed" in towers["image"]:
        renamed["class_pos_embed"] = towers["image"]["pos_embed"][:, :1]
    for modality, (_, family) in TOWER_PREFIXES.items():
        converted = convert(towers[modality], family)
        renamed |= {f"{tower_attribute(modality)}.{name}": v for name, v in converted.items()}
    return renamed


def _modality_of(name: str) -> Modality | None:
    """The tower of an entry; None for the mask head."""
    for modality, (prefix, _) in TOWER_PREFIXES.items():
        if name.startswith(prefix):
            return modality
    return None
