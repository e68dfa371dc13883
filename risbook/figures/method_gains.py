"""Gain over a baseline against the number of tuned weights, with intervals."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from risbook.errors import DataError
from risbook.figures.palette import BLUE, VERMILION

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show_method_gains(
    methods: Sequence[tuple[str, int, float, float, float]], *, baseline: str, unit: str
) -> "Figure":
    """Draw a point with an interval per method; the baseline is the line at 0.

    Args:
        methods: name, tuned weights (above 0), mean difference from the baseline, and the two ends
            of its interval.
        baseline: its name.
        unit: of the differences, for instance "points of mIoU".

    Returns:
        The figure; end the cell with ``plt.show()``.

    Raises:
        DataError: there is no method, or a number of weights is below 1.
    """
    import matplotlib.pyplot as plt

    if not methods or min(tuned for _, tuned, *_ in methods) < 1:
        raise DataError("show_method_gains: give methods that tune at least one weight")
    figure, ax = plt.subplots(figsize=(7.4, 4.0), layout="constrained")
    ax.axhline(0, color=VERMILION, ls="--", label=baseline)
    for name, tuned, mean, low, high in methods:
        ax.plot([tuned, tuned], [low, high], color=BLUE, lw=1.4)
        ax.plot(tuned, mean, "o", color=BLUE, markersize=6)
        ax.annotate(name, (tuned, mean), xytext=(7, 4), textcoords="offset points")
    ax.set(xscale="log", xlabel="tuned weights", ylabel=f"gain over {baseline}, {unit}")
    ax.margins(x=0.15)
    return figure
