"""Choosing lines of the ledger, or numbers of ours, by the values of their fields."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from risbook.errors import DataError

Line = TypeVar("Line")

#: Fields and the value that each must have, or a tuple of values that will do.
Filter = Mapping[str, str | tuple[str, ...]]


def select(lines: Iterable[Line], **wanted: str | tuple[str, ...]) -> tuple[Line, ...]:
    """Choose lines by their fields.

    Args:
        lines: lines to choose from.
        wanted: for any field the value that it must have, or a tuple of values that will do.

    Raises:
        DataError: the lines have no such field.
    """
    choices = {
        name: (value,) if isinstance(value, str) else value for name, value in wanted.items()
    }
    selected = []
    for line in lines:
        if unknown := [name for name in choices if not hasattr(line, name)]:
            raise DataError(f"{type(line).__name__} has no field {unknown[0]!r}")
        if all(str(getattr(line, name)) in values for name, values in choices.items()):
            selected.append(line)
    return tuple(selected)
