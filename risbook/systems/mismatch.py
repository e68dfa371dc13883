"""Compare a file's weights with those that a system expects, by name and shape."""

from collections.abc import Iterable, Mapping

from torch import Tensor


def first_mismatch(
    state: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    required: Iterable[str],
    *,
    sources: Mapping[str, str] | None = None,
) -> str:
    """The first weight that is missing, unknown or of another shape, in words; "" if all fit.

    Args:
        state: the file's weights under our own names.
        expected: the system's; their shapes are enough.
        required: names that the file must hold.
        sources: our names -> those in the file, for messages; without it they are the same.

    >>> first_mismatch({}, {}, ["head.weight"])
    'head.weight is missing'
    """
    sources = sources or {}
    for name in required:
        if name not in state:
            return f"{name} is missing"
    for name in state:
        if name not in expected:
            return f"{sources.get(name, name)} is not a weight of this system"
    for name, value in state.items():
        if value.shape != expected[name].shape:
            shape, wanted = tuple(value.shape), tuple(expected[name].shape)
            return f"{sources.get(name, name)} is {shape}, not {wanted}"
    return ""


def count_mismatches(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> int:
    """How many weights are missing, unknown or of another shape.

    >>> count_mismatches({}, {"head.weight": None})
    1
    """
    shared = [name for name in state if name in expected]
    same = sum(state[name].shape == expected[name].shape for name in shared)
    return len(state.keys() | expected.keys()) - same
