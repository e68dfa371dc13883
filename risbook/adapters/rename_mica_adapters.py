"""Rename the weights of the released adapters of MiCA to our own names.

The outer layers have other names; inside the convolutions, the attention and FiLM, both codes have
the same names, such as `dw_convs`, `qkv` and `text_proj`.
"""

from collections.abc import Mapping

from torch import Tensor

from risbook.errors import DataError

#: beginnings of the released names and our own; the first that fits counts
MICA_PARTS = {
    "gate": "gate.weight",
    "down_proj.": "down.",
    "D_fc1.": "down.",
    "up_proj.": "up.",
    "D_fc2.": "up.",
    "multi_scale_conv.norm.": "conv_norm.",
    "multi_scale_conv.": "conv.",
    "lite_attention.": "attention.",
    "cross_attention.": "cross.",
    "film.film.": "film.linear.",
}


def rename_mica_adapter(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the entries of one released adapter.

    Args:
        state: names and values, for instance "D_fc1.weight".

    Returns:
        The names of `GLiA`, `CAA` or `TextCAA`, and the values.

    Raises:
        DataError: names an unknown entry.
    """
    return {rename_mica_entry(name): value for name, value in state.items()}


def rename_mica_entry(name: str) -> str:
    """The name of one entry of a released adapter.

    >>> rename_mica_entry("multi_scale_conv.dw_convs.0.weight")
    'conv.dw_convs.0.weight'
    """
    for released, ours in MICA_PARTS.items():
        if name.startswith(released):
            return ours + name.removeprefix(released)
    raise DataError(f"{name}: not an entry of a released GLiA or CAA")
