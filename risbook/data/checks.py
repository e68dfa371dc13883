"""Checks of fields read from files; each failure is one clear sentence.

Records come from JSON or from pickles, so a field may hold anything. Every check takes `where`,
the words that name file and record in the message, and returns the value with its type narrowed.
It raises `DataError` where the field is missing or holds something else.
"""

import math
import reprlib
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

from risbook.errors import DataError

#: Ids are stored in 64-bit tensors.
_MAX_BITS = 63


def show(value: object) -> str:
    """Abbreviate any value for an error message, however deep or long it is.

    >>> show("abc")
    "str 'abc'"
    """
    # Readers prepare these words for every record, so that ids need the short path.
    if type(value) is int and value.bit_length() <= _MAX_BITS:
        return f"int {value}"
    try:
        return f"{type(value).__name__} {reprlib.repr(value)}"
    except ValueError:  # Python refuses to print integers of more than 4,300 digits
        return f"{type(value).__name__} with an integer of more than 4,300 digits"


def as_mapping(value: object, *, where: str) -> Mapping[str, Any]:
    """Check that a record is a dictionary."""
    if not isinstance(value, Mapping):
        raise DataError(f"{where}: expected a record (dictionary), got {show(value)}")
    return value


def field(record: Mapping[str, Any], key: str, *, where: str) -> Any:
    """Take a field that must be there."""
    if key not in record:
        raise DataError(f"{where}: field {key!r} is missing")
    return record[key]


def int_field(record: Mapping[str, Any], key: str, *, where: str) -> int:
    """Take a whole number of at most 64 bits: no string, no float, no truth value.

    NumPy's integers become int.
    """
    value = field(record, key, where=where)
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise DataError(f"{where}: field {key!r} must be an int, got {show(value)}")
    number = int(value)
    if number.bit_length() > _MAX_BITS:
        raise DataError(
            f"{where}: field {key!r} is an integer of {number.bit_length():,} bits; "
            f"at most {_MAX_BITS} fit into an id"
        )
    return number


def str_field(record: Mapping[str, Any], key: str, *, where: str) -> str:
    """Take a field that must be text in valid Unicode; it may be empty."""
    value = field(record, key, where=where)
    if not isinstance(value, str):
        raise DataError(f"{where}: field {key!r} must be text, got {show(value)}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise DataError(
            f"{where}: field {key!r} holds half a character (a lone surrogate), got {show(value)}"
        ) from None
    return value


def list_field(record: Mapping[str, Any], key: str, *, where: str) -> list[Any]:
    """Take a field that must be a list (tuples and arrays count as lists, text does not)."""
    value = field(record, key, where=where)
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise DataError(f"{where}: field {key!r} must be a list, got {show(value)}")
    return list(value)


def box_field(
    record: Mapping[str, Any], key: str, *, where: str
) -> tuple[float, float, float, float]:
    """Take a box (x, y, width, height) in pixels: four finite numbers; its sides may be zero."""
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

    >>> is_finite_number(2.5), is_finite_number(True), is_finite_number(float("nan"))
    (True, False, False)
    """
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False
