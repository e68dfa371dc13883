"""A label study in two figures: the scores of all methods, and where one method wins or loses."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from risbook.errors import DataError
from risbook.figures.palette import BLUE, CYCLE, GREY, VERMILION
from risbook.studies.comparisons import MIN_SEEDS
from risbook.studies.label_comparisons import LabelComparison
from risbook.studies.label_curves import LabelPoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = "osD^vP*"

#: colour, marker and shift of the first and of the second split of a panel
_OF_SPLIT = ((BLUE, "o", -0.11), (VERMILION, "s", 0.11))

#: A panel with larger values than so many times the smallest panel's has its own scale.
_OWN_SCALE = 3.0


def show_label_scores(
    points: Sequence[LabelPoint],
    *,
    names: Mapping[str, str],
    splits: Mapping[str, str],
    planned: Sequence[int],
    amounts: Sequence[int],
) -> "Figure":
    """Draw mIoU over the number of labelled images, a panel per split, a labelled line per method.

    A mark is hollow where there are fewer than three seeds.

    Args:
        points: see `risbook.studies.label_curves.read_label_points`.
        names: words beside the lines, by method.
        splits: titles of the panels, by split.
        planned: numbers of images of the study; those that are not drawn are marked as open.
        amounts: numbers of images that are drawn.

    Returns:
        The figure; end the cell with ``plt.show()``.

    Raises:
        DataError: there are no amounts.
    """
    import matplotlib.pyplot as plt

    if not amounts:
        raise DataError("show_label_scores: no amount of data is recorded in full")
    figure, axes = plt.subplots(
        1, len(splits), figsize=(4.1 * len(splits), 4.2), sharey=True, squeeze=False
    )
    for ax, (split, title) in zip(axes[0], splits.items(), strict=True):
        ends = []
        for place, (method, name) in enumerate(names.items()):
            own = {p.num_images: p for p in points if (p.method, p.split) == (method, split)}
            heights = [100 * float(own[amount].ious.mean()) for amount in amounts]
            colour, marker = CYCLE[place % len(CYCLE)], _MARKERS[place % len(_MARKERS)]
            places = [planned.index(amount) for amount in amounts]
            ax.plot(places, heights, color=colour)
            for x, height, amount in zip(places, heights, amounts, strict=True):
                face = colour if len(own[amount].seeds) >= MIN_SEEDS else "white"
                ax.plot(x, height, marker, color=colour, mfc=face, ms=6)
            ends.append((heights[-1], name, colour))
        last = planned.index(amounts[-1])
        labels = _spread([height for height, *_ in ends])
        for (_, name, colour), label in zip(ends, labels, strict=True):
            ax.text(last + 0.18, label, name, color=colour, va="center")
        bottom, top = ax.get_ylim()  # shared: it only grows from panel to panel
        ax.set_ylim(min(bottom, min(labels) - 3), max(top, max(labels) + 1.5))
        _mark_amounts(ax, planned, amounts)
        ax.set_title(title)
        ax.set_xlim(-0.3, max(len(planned) - 0.5, last + 1.5))
        ax.grid(axis="y")
    axes[0, 0].set_ylabel("mIoU, %")
    return figure


def show_label_gains(
    comparisons: Sequence[LabelComparison],
    *,
    method: str,
    names: Mapping[str, str],
    splits: Mapping[str, str],
    planned: Sequence[int],
) -> "Figure":
    """Draw where a method wins and loses: a panel per rival, over the number of labelled images.

    A point is the method's mIoU minus the rival's, with the joint interval. It is filled where the
    interval leaves out 0. A point of fewer than three seeds has no interval: it would look surer
    than that of three, because nothing says what another seed would give.

    Args:
        comparisons: of one method, see `risbook.studies.label_comparisons.compare_with_rivals`.
        method: the method in words.
        names: the rivals in words; they give the panels and their order.
        splits: the two splits in words, for instance {"test_seen": "seen"}.
        planned: numbers of images of the study; those without a comparison are marked as open.

    Returns:
        The figure; end the cell with ``plt.show()``.

    Raises:
        DataError: a rival has no comparison, or there are more than two splits.
    """
    import matplotlib.pyplot as plt

    if len(splits) > len(_OF_SPLIT):
        raise DataError(f"show_label_gains: draws two splits at most, not {len(splits)}")
    members = {rival: [c for c in comparisons if c.rival == rival] for rival in names}
    for rival, group in members.items():
        if not group:
            raise DataError(f"show_label_gains: there is no comparison with {rival!r}")
    limits = {
        rival: 1.2 * max(abs(100 * end) for c in group for end in (c.joint.low, c.joint.high, 0.01))
        for rival, group in members.items()
    }
    common = max(limit for limit in limits.values() if limit < _OWN_SCALE * min(limits.values()))
    columns = min(2, len(names))
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(4.0 * columns, 3.2 * rows), squeeze=False)
    for ax in axes.flat[len(names) :]:
        ax.set_axis_off()
    for number, (ax, rival) in enumerate(zip(axes.flat, names, strict=False)):
        limit = common if limits[rival] <= common else limits[rival]
        ax.axhline(0, color="black", lw=1.1)
        for (split, label), (colour, marker, shift) in zip(splits.items(), _OF_SPLIT, strict=False):
            group = [c for c in members[rival] if c.split == split]
            for c in group:
                place = planned.index(c.num_images) + shift
                if c.num_seeds >= MIN_SEEDS:
                    ends = [100 * c.joint.low, 100 * c.joint.high]
                    ax.plot([place] * 2, ends, color=colour, lw=2)
                face = colour if c.verdict in ("higher", "lower") else "white"
                ax.plot(place, 100 * c.difference.mean, marker, color=colour, mfc=face, ms=7)
            if number == 0:
                heights = {c.num_images: 100 * c.difference.mean for c in group}
                last = max(heights)
                side = (planned.index(last) + 0.32, heights[last] + 12 * shift / 0.11 * limit / 200)
                ax.annotate(label, side, color=colour, fontsize=11, va="center")
        recorded = sorted({c.num_images for c in members[rival]})
        _mark_amounts(ax, planned, recorded)
        ax.set(title=f"{method} minus {names[rival]}", ylim=(-limit, limit))
        ax.set_xlim(-0.5, len(planned) - 0.4)
        if number % columns == 0:
            ax.set_ylabel("points of mIoU")
        top = ax.get_ylim()[1]
        ax.text(-0.4, 0.93 * top, f"{method} higher", color=GREY, va="center")
        ax.text(-0.4, -0.7 * top, f"{method} lower", color=GREY, va="center")
    return figure


def _spread(heights: Sequence[float], *, gap: float = 1.7) -> list[float]:
    """Heights of labels that stand at least `gap` apart, each stack around its mean height.

    >>> _spread([40.0, 45.0, 45.2], gap=1.0)
    [40.0, 44.6, 45.6]
    """
    order = sorted(range(len(heights)), key=lambda place: heights[place])
    stacks: list[list[int]] = []
    for place in order:
        stacks.append([place])
        while (
            len(stacks) > 1
            and _middle(stacks[-1], heights) - _middle(stacks[-2], heights)
            < gap * (len(stacks[-1]) + len(stacks[-2])) / 2
        ):
            upper = stacks.pop()
            stacks[-1] += upper
    labels = list(heights)
    for stack in stacks:
        for rank, place in enumerate(stack):
            offset = gap * (rank - (len(stack) - 1) / 2)
            labels[place] = round(_middle(stack, heights) + offset, 6)
    return labels


def _middle(places: Sequence[int], heights: Sequence[float]) -> float:
    return sum(heights[place] for place in places) / len(places)


def _mark_amounts(ax: "Axes", planned: Sequence[int], recorded: Sequence[int]) -> None:
    """Ticks of all planned amounts, and the word "open" where nothing is recorded."""
    ax.set_xticks(range(len(planned)), [f"{amount:,}" for amount in planned])
    ax.set_xlabel("labelled images")
    for place, amount in enumerate(planned):
        if amount not in recorded:
            ax.text(
                place, 0.03, "open", color=GREY, ha="center", transform=ax.get_xaxis_transform()
            )
