"""What the renaming of released checkpoints shares: neck, decoder and projector, and the towers.

Every entry of a file gets exactly one name of ours, or the file is refused.
"""

import re
from collections.abc import Mapping

from torch import Tensor

from risbook.errors import DataError
from risbook.systems.part_names import tower_attribute
from risbook.towers.published_formats import get_published_formats
from risbook.towers.stages import Modality

#: beginnings of the released names of the mask head and our own, the same in ETRIS and DETRIS
HEAD_PREFIXES = {
    "neck.": "head.neck.",
    "decoder.": "head.decoder.",
    "proj.": "head.projector.",
}


def drop_module_prefix(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Drop the "module." that DistributedDataParallel puts before all names.

    Raises:
        DataError: if an entry is there with and without it.

    >>> drop_module_prefix({"module.proj.vis": 1})
    {'proj.vis': 1}
    """
    renamed: dict[str, Tensor] = {}
    for name, value in state.items():
        add_entry(renamed, name.removeprefix("module."), value, published=name)
    return renamed


def add_entry(renamed: dict[str, Tensor], name: str, value: Tensor, *, published: str) -> None:
    """Add an entry under our name.

    Raises:
        DataError: names the published entry, if there is one of our name already.
    """
    if name in renamed:
        raise DataError(f"{published}: a second entry for {name}")
    renamed[name] = value


def rename_head_entry(name: str) -> str | None:
    """Our name of an entry of neck, decoder or projector; None for any other entry.

    >>> rename_head_entry("proj.txt.weight")
    'head.projector.txt.weight'
    """
    for prefix, ours in HEAD_PREFIXES.items():
        if name.startswith(prefix):
            return ours + name.removeprefix(prefix)
    return None


def rename_tower(
    state: Mapping[str, Tensor], family: str, modality: Modality, *, prefix: str
) -> dict[str, Tensor]:
    """Bring the entries of one tower, under the names of its publisher, to ours.

    Args:
        state: names and values of this tower alone.
        family: a name of `risbook.towers.families.FAMILIES`. The released repositories have the
            names of OpenAI and Meta, which are the first format of each family.
        modality: whether it is the image tower or the text tower.
        prefix: what stood before the names, for messages.

    Raises:
        DataError: names an entry that no such tower has, or one that every such tower has.
    """
    mapping, *_ = get_published_formats(family).key_mappings
    if mapping.marker not in state:
        raise DataError(f"{prefix}{mapping.marker} is missing")
    ignored = get_published_formats(family).ignored
    for name in state:
        if re.match(ignored, name):  # of the publisher's file, but of no tower
            raise DataError(f"{prefix}{name}: not an entry of this tower")
    attribute = tower_attribute(modality)
    return {f"{attribute}.{name}": value for name, value in mapping.convert(state).items()}
