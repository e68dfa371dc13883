"""Rename the weights of the released Dense Aligner and Text Adapter to our own names.

The outer layers and the branches of D-MoC have other names; below these, both codes have the same
names, such as `cross.text_proj`, `conv` and `bn`.
"""

import re
from collections.abc import Mapping

from torch import Tensor

from risbook.errors import DataError

#: the released name of a part and our own
ADAPTER_PARTS = {
    "D_fc1": "down",
    "D_fc2": "up",
    "cross": "cross",
    "dense_branch1": "dmoc.branches.0",
    "dense_branch2": "dmoc.branches.1",
    "dense_branch3": "dmoc.branches.2",
}


def rename_detris_adapters(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the entries of one released adapter.

    Args:
        state: names and values, for instance "D_fc1.weight".

    Returns:
        The names of `DenseAligner` or `TextAdapter`, and the values.

    Raises:
        DataError: names an unknown entry.
    """
    return {rename_adapter_entry(name): value for name, value in state.items()}


def rename_adapter_entry(name: str) -> str:
    """The name of one entry of a released adapter.

    >>> rename_adapter_entry("dense_branch2.0.conv.weight")
    'dmoc.branches.1.0.conv.weight'
    """
    match = re.fullmatch(r"(\w+)\.(.+)", name)
    if match is None or match[1] not in ADAPTER_PARTS:
        raise DataError(f"{name}: not an entry of a released Dense Aligner or Text Adapter")
    return f"{ADAPTER_PARTS[match[1]]}.{match[2]}"
