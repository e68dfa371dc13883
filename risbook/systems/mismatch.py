"""Compare a file's weights with those that a system expects, by name and shape."""

from collections.abc import Iterable, Mapping

from torch import Tensor


def first_mismatch(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor], required: Iterable[str]
) -> str:
    """The first weight that is missing, unknown or of another shape, in words; "" if all fit.

    Args:
        state: the file's weights under our own names.
        expected: the system's; their shapes are enough.
        required: names that the file must hold.

    >>> first_mismatch({}, {}, ["head.weight"])
    'head.weight is missing'
    """
    for name in required:
        if name not in state:
            return f"{name} is missing"
    for name in state:
        if name not in expected:
            return f"{name} is not a weight of this system"
    for name, value in state.items():
        if value.shape != expected[name].shape:
            return f"{name} is {tuple(value.shape)}, not {tuple(expected[name].shape)}"
    return ""
