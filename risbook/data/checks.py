"""Small checks of fields read from files, all of them ending in one clear sentence.

Records come from JSON or from pickles, so a field may hold anything. Every check takes `where`,
the words that tell the reader which file and which record is meant, and gives the value back
with its type narrowed.
"""

import math
import reprlib
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

from risbook.errors import DataError


def show(value: object) -> str:
    """Give a short picture of any value for an error message, however deep or long it is.

    Args:
        value: anything.

    Returns:
        Type name and abbreviated repr, for instance ``str 'abc'``.

    >>> show("abc")
    "str 'abc'"
    """
    # Readers prepare these words for every record, so that ids need the short way.
    return f"int {value}" if type(value) is int else f"{type(value).__name__} {reprlib.repr(value)}"


def as_mapping(value: object, *, where: str) -> Mapping[str, Any]:
    """Check that a record is a dictionary.

    Args:
        value: the record.
        where: file and record, for the message.

    Returns:
        The record.

    Raises:
        DataError: it is something else.
    """
    if not isinstance(value, Mapping):
        raise DataError(f"{where}: expected a record (dictionary), got {show(value)}")
    return value


def field(record: Mapping[str, Any], key: str, *, where: str) -> Any:
    """Take a field that must be there.

    Args:
        record: the record.
        key: name of the field.
        where: file and record, for the message.

    Returns:
        The value as it is.

    Raises:
        DataError: the record has no such field.
    """
    if key not in record:
        raise DataError(f"{where}: field {key!r} is missing")
    return record[key]


def int_field(record: Mapping[str, Any], key: str, *, where: str) -> int:
    """Take a field that must be a whole number: no string, no float, no truth value.

    Args:
        record: the record.
        key: name of the field.
        where: file and record, for the message.

    Returns:
        The value as int (NumPy integers become int).

    Raises:
        DataError: the field is missing or of another type.
    """
    value = field(record, key, where=where)
    if type(value) is int:
        return value
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise DataError(f"{where}: field {key!r} must be an int, got {show(value)}")
    return int(value)


def str_field(record: Mapping[str, Any], key: str, *, where: str) -> str:
    """Take a field that must be text; it may be empty.

    Args:
        record: the record.
        key: name of the field.
        where: file and record, for the message.

    Returns:
        The text.

    Raises:
        DataError: the field is missing or of another type.
    """
    value = field(record, key, where=where)
    if not isinstance(value, str):
        raise DataError(f"{where}: field {key!r} must be text, got {show(value)}")
    return value


def list_field(record: Mapping[str, Any], key: str, *, where: str) -> list[Any]:
    """Take a field that must be a list (tuples and arrays count as lists, text does not).

    Args:
        record: the record.
        key: name of the field.
        where: file and record, for the message.

    Returns:
        A new list.

    Raises:
        DataError: the field is missing or of another type.
    """
    value = field(record, key, where=where)
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise DataError(f"{where}: field {key!r} must be a list, got {show(value)}")
    return list(value)


def box_field(
    record: Mapping[str, Any], key: str, *, where: str
) -> tuple[float, float, float, float]:
    """Take a box of four finite numbers; its sides may still be zero.

    Args:
        record: the record.
        key: name of the field.
        where: file and record, for the message.

    Returns:
        The box (x, y, width, height) in pixels.

    Raises:
        DataError: the field is missing, has not four entries or one is not a finite number.
    """
    values = list_field(record, key, where=where)
    if len(values) != 4 or not all(is_finite_number(value) for value in values):
        raise DataError(
            f"{where}: field {key!r} must be four finite numbers (x, y, width, height), "
            f"got {show(values)}"
        )
    x, y, w, h = (float(value) for value in values)
    return x, y, w, h


def is_finite_number(value: object) -> bool:
    """Say whether a value is a finite real number; truth values are not.

    Args:
        value: anything.

    Returns:
        The answer.

    >>> is_finite_number(2.5), is_finite_number(True), is_finite_number(float("nan"))
    (True, False, False)
    """
    if isinstance(value, bool):
        return False
    if isinstance(value, float):
        return math.isfinite(value)
    try:
        return isinstance(value, Real) and math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False
