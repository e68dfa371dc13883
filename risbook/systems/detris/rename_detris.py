"""Rename the entries of a checkpoint of the released DETRIS to our own names.

The towers are renamed by `risbook.towers.published_formats`, the adapters by
`risbook.adapters.rename_detris_adapters`; neck, decoder and projector keep their names below
``head.``.
"""

import re
from collections.abc import Mapping

from torch import Tensor

from risbook.adapters.rename_detris_adapters import rename_adapter_entry
from risbook.errors import DataError
from risbook.systems.part_names import tower_attribute
from risbook.systems.released_code import ReleasedCode
from risbook.systems.released_names import add_entry, rename_head_entry, rename_tower
from risbook.towers.stages import Modality

#: of each tower: the beginning of its released names, that of the names of its blocks, and the
#: family that renames what follows
TOWER_NAMES: dict[Modality, tuple[str, str, str]] = {
    "image": ("dinov2.", "blocks.", "dinov2"),
    "text": ("txt_backbone.", "transformer.resblocks.", "clip-text"),
}
#: entries of the towers that no computation reads, see `PEFTSystem.add_unused_weights`
UNUSED = {"image": "mask_token", "text": "logit_scale"}


def rename_detris(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the entries of a released DETRIS.

    Args:
        state: names, without "module.", and values of the released model.

    Returns:
        Our own names and the values.

    Raises:
        DataError: names an unknown entry.
    """
    renamed: dict[str, Tensor] = {}
    towers: dict[Modality, dict[str, Tensor]] = {"image": {}, "text": {}}
    for published, value in state.items():
        modality = _modality_of(published)
        if modality is None:
            head_name = rename_head_entry(published)
            if head_name is None:
                raise DataError(f"{published}: not an entry of a released DETRIS")
            add_entry(renamed, head_name, value, published=published)
            continue
        prefix, blocks, _ = TOWER_NAMES[modality]
        name = published.removeprefix(prefix)
        if adapter := re.fullmatch(rf"{re.escape(blocks)}(\d{{1,4}})\.adapter\.(.+)", name):
            site = f"{tower_attribute(modality)}.adapters.{int(adapter[1])}_mlp.adapter"
            ours = f"{site}.{rename_adapter_entry(adapter[2])}"
            add_entry(renamed, ours, value, published=published)
        elif name == UNUSED[modality]:
            renamed[name] = value
        elif "adapter" in name:  # MiCA's code is a fork of this one, with other adapters
            raise DataError(f"{published}: not an entry of a released DETRIS")
        else:
            towers[modality][name] = value
    pos_embed = towers["image"].get("pos_embed")
    if pos_embed is not None:
        if pos_embed.ndim != 3:
            shape = tuple(pos_embed.shape)
            raise DataError(f"dinov2.pos_embed: its shape is {shape}, not (1, N, C)")
        renamed["class_pos_embed"] = pos_embed[:, :1]
    for modality, (prefix, _, family) in TOWER_NAMES.items():
        renamed |= rename_tower(towers[modality], family, modality, prefix=prefix)
    return renamed


def _modality_of(name: str) -> Modality | None:
    """The tower of an entry; None for the mask head."""
    for modality, (prefix, _, _) in TOWER_NAMES.items():
        if name.startswith(prefix):
            return modality
    return None


RELEASED_DETRIS = ReleasedCode(
    repository="jiaqihuang01/DETRIS",
    license="mit",
    max_tokens={
        "refcoco": 17,
        "refcoco+": 17,
        "refcocog_u": 22,
        "refcocog_g": 17,
        "refcoco_mixed": 17,
    },
    rename=rename_detris,
)
