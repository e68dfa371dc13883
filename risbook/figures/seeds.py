"""Results of several seeds per row: a bar for the mean, a dot for each run."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from risbook.errors import DataError
from risbook.figures.palette import SKY, VERMILION

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show_seeds(
    results: Mapping[str, Sequence[float]],
    *,
    label: str,
    reference: tuple[str, float] | None = None,
    digits: int = 1,
) -> "Figure":
    """Draw one bar per row, with its runs as dots and its mean as a number.

    Args:
        results: name of a row -> one value per run; the first row is drawn on top.
        label: what the values are, with their unit.
        reference: name and value of a vertical line, for instance of a baseline.
        digits: decimals of the means.

    Returns:
        The figure; end the cell with ``plt.show()``.

    Raises:
        DataError: there is no row, or a row without a run.
    """
    import matplotlib.pyplot as plt

    if not results or not all(len(values) for values in results.values()):
        raise DataError("show_seeds: give at least one row, and at least one run per row.")
    largest = max(max(values) for values in results.values())
    largest = max(largest, reference[1]) if reference else largest
    figure, ax = plt.subplots(figsize=(7.4, 0.9 + 0.55 * len(results)), layout="constrained")
    for place, values in enumerate(results.values()):
        ax.barh(place, np.mean(values), height=0.6, color=SKY, alpha=0.5)
        ax.plot(values, [place] * len(values), "o", color="black", markersize=5)
        ax.text(1.06 * largest, place, f"mean {np.mean(values):.{digits}f}", va="center")
    if reference is not None:
        ax.axvline(reference[1], color=VERMILION, ls="--", label=reference[0])
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
    ax.set_yticks(range(len(results)), list(results))
    ax.set(xlabel=label, xlim=(0, 1.25 * largest))
    ax.invert_yaxis()
    return figure
