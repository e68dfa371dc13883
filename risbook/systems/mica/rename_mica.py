"""Rename the entries of a checkpoint of the released MiCA to our own names.

Towers and mask head have the names of the released DETRIS, see `rename_detris`; the adapters are
renamed by `risbook.adapters.rename_mica_adapters`.

All GLiAs of a tower lie in one container, and the container is an attribute of every block with a
GLiA. So a checkpoint holds each GLiA several times: three GLiAs in blocks 1, 5 and 9 stand below
all three of these blocks, and those of the image tower below ``visual_serial_adapter`` besides.
These copies share their memory in training, so one of each is read. The others have to be there,
too, with the same values.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from risbook.adapters.rename_mica_adapters import rename_mica_entry
from risbook.errors import DataError
from risbook.systems.detris.rename_detris import rename_detris
from risbook.systems.part_names import tower_attribute
from risbook.systems.released_code import ReleasedCode
from risbook.systems.released_names import add_entry

_NUMBER = r"(?:0|[1-9]\d{0,3})"
_BLOCKS = r"(?:dinov2\.blocks|txt_backbone\.transformer\.resblocks)\."
#: an entry of a GLiA: its container, its block, and its own name
_GLIA = re.compile(
    rf"((?:{_BLOCKS}{_NUMBER}\.|dinov2\.visual_)serial_adapter\.adapters\.)"
    rf"({_NUMBER})\.adapter\.(.+)"
)
#: an entry of a CAA: what stands before its block, its block, and its own name
_CAA = re.compile(rf"({_BLOCKS})({_NUMBER})\.parallel_v2_adapter\.(.+)")


def rename_mica(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the entries of a released MiCA.

    Args:
        state: names, without "module.", and values of the released model.

    Returns:
        Our own names and the values.

    Raises:
        DataError: names an entry that is unknown, or there twice, or a copy that is missing or has
            other values.
    """
    adapters, others = split_adapters(state)
    check_containers(state)
    return rename_detris(others) | adapters


def split_adapters(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The adapters under our names, and all other entries as they are.

    Raises:
        DataError: as `rename_mica`, but for a missing copy.
    """
    adapters: dict[str, Tensor] = {}
    others: dict[str, Tensor] = {}
    containers: dict[str, set[str]] = defaultdict(set)  # of each of our names
    for name, value in state.items():
        if match := _GLIA.fullmatch(name):
            ours = _site_entry(match, "attention")
            if match[1] in containers[ours]:  # "down_proj" and "D_fc1"
                raise DataError(f"{name}: a second entry for {ours}")
            containers[ours].add(match[1])
            if not _are_equal(adapters.setdefault(ours, value), value):
                raise DataError(f"{name}: is not equal to another copy of the same GLiA")
        elif match := _CAA.fullmatch(name):
            add_entry(adapters, _site_entry(match, "mlp"), value, published=name)
        else:
            others[name] = value
    return adapters, others


def check_containers(names: Iterable[str]) -> None:
    """Refuse a file in which a container of GLiAs is missing or incomplete, or stands elsewhere.

    Raises:
        DataError: names the entry.
    """
    containers: dict[str, set[str]] = defaultdict(set)
    for match in filter(None, map(_GLIA.fullmatch, names)):
        containers[match[1]].add(f"{match[2]}.adapter.{match[3]}")
    for tower, blocks in (("dinov2.", "blocks."), ("txt_backbone.", "transformer.resblocks.")):
        held = {name: entries for name, entries in containers.items() if name.startswith(tower)}
        entries = set[str]().union(*held.values())
        places = {f"{blocks}{entry.partition('.')[0]}." for entry in entries}
        if tower == "dinov2." and entries:
            places.add("visual_")
        expected = {f"{tower}{place}serial_adapter.adapters." for place in places}
        for container in sorted(expected | held.keys()):
            if container not in expected:
                entry = min(held[container])
                raise DataError(f"{container}{entry}: this block has no GLiA of its own")
            for entry in sorted(entries - held.get(container, set())):
                raise DataError(f"{container}{entry} is missing")


def _site_entry(match: re.Match[str], branch: str) -> str:
    """Our name of an entry of an adapter."""
    prefix, block, entry = match.groups()
    attribute = tower_attribute("image" if prefix.startswith("dinov2") else "text")
    return f"{attribute}.adapters.{block}_{branch}.adapter.{rename_mica_entry(entry)}"


def _are_equal(value: Tensor, other: Tensor) -> bool:
    """Whether shapes, types and values are equal; on the meta device there are no values."""
    if value.shape != other.shape or value.dtype != other.dtype:
        return False
    is_shared = value.data_ptr() == other.data_ptr() and value.stride() == other.stride()
    return is_shared or torch.equal(value, other)


RELEASED_MICA = ReleasedCode(
    repository="feng-zitong/MiCA",
    license="mit",
    max_tokens={"refcoco": 17, "refcoco+": 17, "refcocog_u": 22, "refcocog_g": 17},
    rename=rename_mica,
)
