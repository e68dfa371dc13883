"""Checkers for the exercises.

A chapter's solution is a cell tagged ``solution``; `make notebooks` derives the reader's stub
from it, a function that raises ``NotImplementedError`` or a value that is ``...``. For either a
checker prints one constant line, so that Run All never stops at an exercise that nobody tried.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np


def check(
    name: str,
    answer: Callable[..., Any],
    cases: Iterable[tuple[tuple[Any, ...], Any]],
    *,
    tolerance: float = 1e-6,
    hint: str = "",
) -> None:
    """Call the reader's function on worked cases and print one line with the result.

    Args:
        name: what the line begins with, such as ``"Exercise 1"``.
        answer: the reader's function.
        cases: pairs of (arguments, expected result); results may be numbers, text, arrays,
            tensors, or tuples, lists and dicts of them.
        tolerance: largest absolute difference between numbers that counts as equal.
        hint: a sentence for whoever got it wrong.

    >>> check("Exercise 1", lambda a, b: a + b, [((1, 2), 3), ((0, 0), 0)])
    Exercise 1: correct (2 cases).
    """
    count = 0
    for arguments, expected in cases:
        count += 1
        try:
            result = answer(*arguments)
        except NotImplementedError:
            _not_attempted(name)
            return
        except Exception as mistake:  # the reader's code may raise anything
            _wrong(name, f"case {count} raised {type(mistake).__name__}: {mistake}", hint)
            return
        if result is ...:
            _not_attempted(name)
            return
        if not same(result, expected, tolerance):
            problem = f"case {count}: expected {_short(expected)}, got {_short(result)}"
            _wrong(name, problem, hint)
            return
    print(f"{name}: correct ({count} case{'s' * (count != 1)}).")


def check_value(
    name: str, answer: Any, expected: Any, *, tolerance: float = 1e-6, hint: str = ""
) -> None:
    """Compare one value of the reader with the expected one and print one line.

    The expected value is not printed, so that the checker does not give the answer away.

    Args:
        name: what the line begins with.
        answer: the reader's value; ``...`` or None means not attempted.
        expected: the right value.
        tolerance: largest absolute difference between numbers that counts as equal.
        hint: a sentence for whoever got it wrong.

    >>> check_value("Exercise 2", ..., 12)
    Exercise 2: not attempted yet. Fill in the cell above, then run this one again.
    """
    if answer is ... or answer is None:
        _not_attempted(name)
        return
    if not same(answer, expected, tolerance):
        _wrong(name, f"{_short(answer)} is not the answer", hint)
        return
    print(f"{name}: correct.")


def same(result: Any, expected: Any, tolerance: float) -> bool:
    """Compare two results; arrays must agree in shape and, within the tolerance, in value.

    >>> same((1.0, [2, 3]), (1.0 + 1e-9, [2, 3]), 1e-6), same(np.ones(2), np.ones(3), 1.0)
    (True, False)
    """
    if isinstance(expected, str | bytes | bool) or expected is None:
        return bool(type(result) in (type(expected), np.bool_) and result == expected)
    if isinstance(expected, Mapping):
        return (
            isinstance(result, Mapping)
            and result.keys() == expected.keys()
            and all(same(result[key], expected[key], tolerance) for key in expected)
        )
    if isinstance(expected, tuple | list) and not _numeric(expected):
        return (
            isinstance(result, tuple | list)
            and len(result) == len(expected)
            and all(same(a, b, tolerance) for a, b in zip(result, expected, strict=True))
        )
    try:
        left, right = _number(result), _number(expected)
    except (TypeError, ValueError):
        return bool(result == expected)
    if left.shape != right.shape:
        return False
    return bool(np.allclose(left, right, rtol=0.0, atol=tolerance, equal_nan=True))


def _numeric(values: Iterable[Any]) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _number(value: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    if hasattr(value, "detach"):  # a torch tensor, perhaps with a gradient
        value = value.detach().cpu().numpy()
    return np.asarray(value, dtype=np.float64)


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else text[:77] + "..."


def _not_attempted(name: str) -> None:
    print(f"{name}: not attempted yet. Fill in the cell above, then run this one again.")


def _wrong(name: str, problem: str, hint: str) -> None:
    print(f"{name}: not yet, {problem}.{' Hint: ' + hint if hint else ''}")
