"""Rename the entries of a checkpoint of the released MiCA to our own names.

Towers and mask head have the names of the released DETRIS, see `rename_detris`; the adapters are
renamed by `risbook.adapters.rename_mica_adapters`.

All GLiAs of a tower lie in one container, and the container is an attribute of every block with a
GLiA. So a checkpoint holds each GLiA several times: three GLiAs in blocks 1, 5 and 9 stand below
all three of these blocks, and those of the image tower below ``visual_serial_adapter`` besides.
These entries share their memory in training, so one of each is read.
"""

import re
from collections.abc import Mapping

from torch import Tensor

from risbook.adapters.rename_mica_adapters import rename_mica_entry
from risbook.systems.detris.rename_detris import rename_detris
from risbook.systems.part_names import tower_attribute
from risbook.systems.released_code import ReleasedCode

#: beginnings of the released names of the two towers, up to the blocks
_TOWER = r"(dinov2\.(?:blocks\.)?|txt_backbone\.transformer\.resblocks\.)"
#: a GLiA in the container of a block, or of the image tower, and its block
_GLIA = re.compile(
    _TOWER + r"(?:visual_|\d{1,4}\.)serial_adapter\.adapters\.(\d{1,4})\.adapter\.(.+)"
)
_CAA = re.compile(_TOWER + r"(\d{1,4})\.parallel_v2_adapter\.(.+)")


def rename_mica(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the entries of a released MiCA.

    Args:
        state: names, without "module.", and values of the released model.

    Returns:
        Our own names and the values.

    Raises:
        DataError: names an unknown entry.
    """
    adapters, others = split_adapters(state)
    return rename_detris(others) | adapters


def split_adapters(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The adapters under our names, and all other entries as they are."""
    adapters: dict[str, Tensor] = {}
    others: dict[str, Tensor] = {}
    for name, value in state.items():
        if match := _GLIA.fullmatch(name):
            adapters.setdefault(_site_entry(match, "attention"), value)
        elif match := _CAA.fullmatch(name):
            adapters[_site_entry(match, "mlp")] = value
        else:
            others[name] = value
    return adapters, others


def _site_entry(match: re.Match[str], branch: str) -> str:
    """Our name of an entry of an adapter."""
    prefix, block, entry = match.groups()
    attribute = tower_attribute("image" if prefix.startswith("dinov2") else "text")
    return f"{attribute}.adapters.{int(block)}_{branch}.adapter.{rename_mica_entry(entry)}"


RELEASED_MICA = ReleasedCode(
    repository="feng-zitong/MiCA",
    license="mit",
    max_tokens={"refcoco": 17, "refcoco+": 17, "refcocog_u": 22, "refcocog_g": 17},
    rename=rename_mica,
)
