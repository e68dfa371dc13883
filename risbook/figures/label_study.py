"""A label study: scores over the amount of labelled data, and paired differences from one method.

Points of several seeds are filled and have a 95 % interval over images and seeds. A point of a
single run is hollow and has none: its images could be drawn again, but nothing says what another
seed would give, so its interval would look surer than that of three seeds.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from risbook.errors import DataError
from risbook.evaluation.paired_difference import PairedDifference
from risbook.figures.palette import CYCLE, GREY
from risbook.studies.label_curves import LabelPoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = "osD^vP*"

#: Neighbouring methods stand so far from each other, as a factor of the number of images.
_SHIFT = 1.06


def show_label_curves(
    points: Sequence[LabelPoint],
    *,
    reference: str,
    names: Mapping[str, str] | None = None,
) -> "Figure":
    """Draw mIoU over the number of labelled images, and beside it the differences from a method.

    Args:
        points: of one split, see `risbook.studies.label_curves.read_label_points`.
        reference: the method from which the others are subtracted, expression by expression.
        names: words for the legend, by method; the methods that it lists are drawn, in its order.
            None for all methods of the points, under their own names.

    Returns:
        The figure; end the cell with ``plt.show()``.

    Raises:
        DataError: there are no points, they are of several splits, or a method has none.
    """
    import matplotlib.pyplot as plt

    splits = {point.split for point in points}
    if len(splits) != 1:
        what = f"of {', '.join(sorted(splits))}" if splits else "none"
        raise DataError(f"show_label_curves: give points of one split; there are {what}")
    names = names or {point.method: point.method for point in points}
    by_method = {
        method: sorted((p for p in points if p.method == method), key=lambda p: p.num_images)
        for method in dict.fromkeys((*names, reference))
    }
    for method, members in by_method.items():
        if not members:
            raise DataError(f"show_label_curves: there is no point of the method {method!r}")
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.9), layout="constrained")
    middle = (len(names) - 1) / 2
    references = {point.num_images: point for point in by_method[reference]}
    for place, (method, label) in enumerate(names.items()):
        style = {"color": CYCLE[place % len(CYCLE)], "marker": _MARKERS[place % len(_MARKERS)]}
        shift = _SHIFT ** (place - middle)
        scores = {point.num_images: point.mean() for point in by_method[method]}
        repeated = {p.num_images for p in by_method[method] if len(p.seeds) > 1}
        _draw(left, scores, repeated, shift=shift, label=label, style=style)
        if method == reference:
            continue
        pairs = [p for p in by_method[method] if p.num_images in references]
        gains = {p.num_images: p.minus(references[p.num_images]) for p in pairs}
        repeated &= {amount for amount, point in references.items() if len(point.seeds) > 1}
        _draw(right, gains, repeated, shift=shift, label="", style=style)
    right.axhline(0, color=GREY, lw=1.2)
    left.set(ylabel="mIoU, %")
    right.set(ylabel=f"mIoU minus that of {names.get(reference, reference)}, points")
    amounts = sorted({point.num_images for point in points})
    for ax in (left, right):
        ax.set_xscale("log")
        ax.set_xticks(amounts, [f"{amount:,}" for amount in amounts])
        ax.minorticks_off()
        ax.set_xlabel("labelled training images")
        ax.grid(axis="y")
    figure.legend(loc="outside upper left", ncols=min(len(names), 3))
    return figure


def _draw(
    ax: "Axes",
    values: Mapping[int, PairedDifference],
    repeated: set[int],
    *,
    shift: float,
    label: str,
    style: Mapping[str, Any],
) -> None:
    """One method: a line, filled points with intervals, and hollow points of single runs.

    Args:
        ax: the panel.
        values: by number of images.
        repeated: the numbers of images with several seeds.
        shift: factor of the numbers of images, so that intervals do not lie on each other.
        label: for the legend; empty for none.
        style: colour and marker.
    """
    amounts = sorted(values)
    heights = [100 * values[amount].mean for amount in amounts]
    colour, places = style["color"], [shift * amount for amount in amounts]
    ax.plot(places, heights, color=colour, lw=1.1, alpha=0.7)
    ax.plot(places, heights, ls="", mfc="white", mec=colour, ms=6, **style)
    for place, height, amount in zip(places, heights, amounts, strict=True):
        if amount in repeated:
            value = values[amount]
            ax.plot([place] * 2, [100 * value.low, 100 * value.high], color=colour, lw=1.8)
            ax.plot(place, height, ms=6, **style)
    if label:
        ax.plot([], [], label=label, lw=1.1, ms=6, **style)
