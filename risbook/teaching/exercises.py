"""Checkers for the exercises.

A chapter's solution is a cell tagged ``solution``; `make notebooks` derives the reader's stub
from it: functions and methods that raise ``NotImplementedError``, or values that are ``...``.
For a stub a checker prints one constant line, so that Run All never stops at an exercise that
nobody tried. The solution has names of its own, and ``check_solution`` prints nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

Cases = Iterable[tuple[tuple[Any, ...], Any]]


def check(
    name: str,
    answer: Callable[..., Any],
    cases: Cases,
    *,
    run: Callable[..., Any] | None = None,
    tolerance: float = 1e-6,
    hint: str = "",
) -> None:
    """Call the reader's function on worked cases and print one line with the result.

    Args:
        name: what the line begins with, such as ``"Exercise 1"``.
        answer: the reader's function or class.
        cases: pairs of (arguments, expected result); results may be numbers, text, arrays,
            tensors, or tuples, lists and dicts of them.
        run: how a case is run, as ``run(answer, *arguments)``; by default
            ``answer(*arguments)``. A class needs it: ``run`` builds the module, sets its
            weights and returns what its forward pass gives.
        tolerance: largest absolute difference between numbers that counts as equal.
        hint: a sentence for whoever got it wrong.

    >>> check("Exercise 1", lambda a, b: a + b, [((1, 2), 3), ((0, 0), 0)])
    Exercise 1: correct (2 cases).
    """
    cases = list(cases)
    try:
        fault = _first_fault(answer, cases, run, tolerance)
    except NotImplementedError:
        _not_attempted(name)
        return
    if fault:
        _wrong(name, fault, hint)
        return
    print(f"{name}: correct ({len(cases)} case{'s' * (len(cases) != 1)}).")


def check_solution(
    answer: Any,
    expected: Any,
    *,
    run: Callable[..., Any] | None = None,
    tolerance: float = 1e-6,
) -> None:
    """Hold a chapter's own solution against the cases of its exercise; silent when it is right.

    Args:
        answer: the function, the class or the value whose name ends in ``_solution``.
        expected: the cases of ``check`` for a function or class, the right value for a value.
        run: as in ``check``.
        tolerance: as in ``check``.

    Raises:
        AssertionError: The solution is wrong; the message names the case.

    >>> check_solution(lambda a, b: a + b, [((1, 2), 3), ((0, 0), 0)])
    >>> check_solution(3 * 4, 12)
    """
    if not callable(answer):
        fault = "" if same(answer, expected, tolerance) else f"{_short(answer)} is not the answer"
    else:
        try:
            fault = _first_fault(answer, expected, run, tolerance)
        except NotImplementedError:
            fault = "it is not implemented"
    if fault:
        raise AssertionError(f"{getattr(answer, '__name__', 'the solution')}: {fault}")


def compare_prediction(
    name: str, prediction: Any, measure: Callable[[], Any] | Any, *, digits: int = 3
) -> None:
    """Print what the reader predicted beside what is measured, in one line.

    Args:
        name: what the line begins with.
        prediction: a number or a choice such as ``"B"``; ``...`` means not attempted.
        measure: the experiment, a function without arguments that returns a value of the same
            type; it runs only after a prediction, so that Run All neither waits for it nor
            shows its result. A measured value is taken as it is.
        digits: decimals of numbers in the line.

    >>> compare_prediction("Exercise 2", ..., lambda: 0.4211)
    Exercise 2: not attempted yet. Fill in the cell above, then run this one again.
    >>> compare_prediction("Exercise 2", 0.5, lambda: 0.4211)
    Exercise 2: predicted 0.500, measured 0.421.
    """
    if prediction is ... or prediction is None:
        _not_attempted(name)
        return
    measured = measure() if callable(measure) else measure
    texts = [
        f"{value:.{digits}f}" if isinstance(value, float | np.floating) else str(value)
        for value in (prediction, measured)
    ]
    print(f"{name}: predicted {texts[0]}, measured {texts[1]}.")


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


def _first_fault(
    answer: Callable[..., Any], cases: Cases, run: Callable[..., Any] | None, tolerance: float
) -> str:
    """Describe the first case that goes wrong; empty if none does.

    Raises:
        NotImplementedError: The answer is a stub.
    """
    for count, (arguments, expected) in enumerate(cases, start=1):
        try:
            result = run(answer, *arguments) if run else answer(*arguments)
        except NotImplementedError:
            raise
        except Exception as mistake:  # the reader's code may raise anything
            return f"case {count} raised {type(mistake).__name__}: {mistake}"
        if result is ...:
            raise NotImplementedError
        if not same(result, expected, tolerance):
            return f"case {count}: expected {_short(expected)}, got {_short(result)}"
    return ""


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
