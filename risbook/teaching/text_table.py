"""Tables as aligned text, so that a chapter's code shows what is measured, not its layout."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


def print_table(header: Sequence[str], rows: Iterable[Sequence[Any]], *, digits: int = 2) -> None:
    """Print rows below a header: the first column to the left, the others to the right.

    Args:
        header: names of the columns.
        rows: one value per column; None leaves a cell empty.
        digits: decimals of floats.

    Raises:
        ValueError: a row has more or fewer values than the header.

    >>> print_table(["model", "p", "N"], [["coarse", 1.0, 12], ["category", 0.56, 1518]])
    model        p     N
    coarse    1.00    12
    category  0.56  1518
    """
    lines = [list(header)]
    lines += [[_text(value, digits) for value in row] for row in rows]
    for number, line in enumerate(lines):
        if len(line) != len(header):
            raise ValueError(
                f"print_table: row {number} has {len(line)} values, not {len(header)}."
            )
    widths = [max(len(text) for text in column) for column in zip(*lines, strict=True)]
    for line in lines:
        first, *others = line
        texts = [first.ljust(widths[0])]
        texts += [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        print("  ".join(texts).rstrip())


def _text(value: Any, digits: int) -> str:
    if value is None:
        return ""
    return f"{value:.{digits}f}" if isinstance(value, float | np.floating) else str(value)
