"""A label study in two figures: the scores of all methods, and where one method wins or loses."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from risbook.errors import DataError
from risbook.figures.palette import BLUE, CYCLE, GREY, VERMILION
from risbook.studies.comparisons import MIN_SEEDS, NUMBER_WORDS
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
    amounts: Sequence[int],
) -> "Figure":
    """Draw the mIoU of every method: dots for one amount of data, lines over several amounts.

    Every mark has its interval of 95 % over images and seeds. With fewer than three seeds a mark is
    hollow and has no interval: nothing says what another seed would give.

    Args:
        points: see `risbook.studies.label_curves.read_label_points`.
        names: the methods in words, by method.
        splits: the splits in words, at most two.
        amounts: numbers of images that are drawn.

    Returns:
        The figure; end the cell with ``plt.show()``.

    Raises:
        DataError: there are no amounts, more than two splits, or a method has no point there.
    """
    if not amounts:
        raise DataError("show_label_scores: no amount of data is recorded in full")
    if len(splits) > len(_OF_SPLIT):
        raise DataError(f"show_label_scores: draws two splits at most, not {len(splits)}")
    by_place = {(p.method, p.split, p.num_images): p for p in points}
    for method in names:
        for split in splits:
            for amount in amounts:
                if (method, split, amount) not in by_place:
                    raise DataError(
                        f"show_label_scores: no point of {method!r} with {amount} images on "
                        f"{split!r}"
                    )
    draw = _draw_dots if len(amounts) == 1 else _draw_lines
    return draw(by_place, names, splits, amounts)


_Points = Mapping[tuple[str, str, int], LabelPoint]


def _draw_dots(
    by_place: _Points, names: Mapping[str, str], splits: Mapping[str, str], amounts: Sequence[int]
) -> "Figure":
    """One amount of data: a row per method, a mark per split, the mIoU beside every mark."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(8.2, 0.8 * len(names) + 1.2))
    for row, method in enumerate(names):
        for (split, label), (colour, marker, shift) in zip(splits.items(), _OF_SPLIT, strict=False):
            point, place = by_place[method, split, amounts[0]], row + 1.7 * shift
            score = point.mean()
            whole = len(point.seeds) >= MIN_SEEDS
            right = 100 * (score.high if whole else score.mean)
            if whole:
                ax.plot([100 * score.low, right], [place] * 2, color=colour, lw=2.4)
            face = colour if whole else "white"
            ax.plot(100 * score.mean, place, marker, color=colour, mfc=face, ms=8)
            seeds = "" if whole else f" ({NUMBER_WORDS[len(point.seeds)]})"
            words = f"{100 * score.mean:.1f}{seeds}"
            ax.annotate(
                words, (right, place), (8, 0), textcoords="offset points", color=colour,
                fontsize=11, va="center",
            )  # fmt: skip
            if row == 0:
                ax.annotate(
                    label, (right, place), (48, 0), textcoords="offset points", color=colour,
                    fontsize=12, va="center",
                )  # fmt: skip
    ax.set_yticks(range(len(names)), list(names.values()), fontsize=12)
    ax.set_ylim(len(names) - 0.5, -0.5)
    left, right = ax.get_xlim()
    ax.set_xlim(left, right + 0.08 * (right - left))
    ax.set_xlabel(f"mIoU, %, with {amounts[0]:,} labelled images")
    ax.grid(axis="x")
    return figure


def _draw_lines(
    by_place: _Points, names: Mapping[str, str], splits: Mapping[str, str], amounts: Sequence[int]
) -> "Figure":
    """Several amounts of data: a panel per split, a labelled line per method."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, len(splits), figsize=(4.1 * len(splits), 4.6), sharey=True, squeeze=False
    )
    middle = (len(names) - 1) / 2
    for ax, (split, title) in zip(axes[0], splits.items(), strict=True):
        ends = []
        for order, (method, name) in enumerate(names.items()):
            own = [by_place[method, split, amount] for amount in amounts]
            scores = [point.mean() for point in own]
            colour, marker = CYCLE[order % len(CYCLE)], _MARKERS[order % len(_MARKERS)]
            places = [place + 0.04 * (order - middle) for place in range(len(amounts))]
            ax.plot(places, [100 * score.mean for score in scores], color=colour, lw=1.4)
            for x, point, score in zip(places, own, scores, strict=True):
                whole = len(point.seeds) >= MIN_SEEDS
                if whole:
                    ax.plot([x] * 2, [100 * score.low, 100 * score.high], color=colour, lw=1.8)
                face = colour if whole else "white"
                ax.plot(x, 100 * score.mean, marker, color=colour, mfc=face, ms=6)
            ends.append((100 * scores[-1].mean, name, colour))
        last = len(amounts) - 1
        labels = _spread([height for height, *_ in ends])
        for (_, name, colour), label in zip(ends, labels, strict=True):
            ax.text(last + 0.2, label, name, color=colour, va="center")
        bottom, top = ax.get_ylim()  # shared: it only grows from panel to panel
        ax.set_ylim(min(bottom, min(labels) - 3), max(top, max(labels) + 1.5))
        _mark_amounts(ax, amounts)
        ax.set_title(title)
        ax.set_xlim(-0.3, last + 1.5)
        ax.grid(axis="y")
    axes[0, 0].set_ylabel("mIoU, %")
    return figure


def show_label_gains(
    comparisons: Sequence[LabelComparison],
    *,
    method: str,
    names: Mapping[str, str],
    splits: Mapping[str, str],
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
    amounts = sorted({c.num_images for c in comparisons})
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
                place = amounts.index(c.num_images) + shift
                if c.num_seeds >= MIN_SEEDS:
                    ends = [100 * c.joint.low, 100 * c.joint.high]
                    ax.plot([place] * 2, ends, color=colour, lw=2)
                face = colour if c.verdict in ("higher", "lower") else "white"
                ax.plot(place, 100 * c.difference.mean, marker, color=colour, mfc=face, ms=7)
            if number == 0:
                heights = {c.num_images: 100 * c.difference.mean for c in group}
                last = max(heights)
                side = (amounts.index(last) + 0.32, heights[last] + 12 * shift / 0.11 * limit / 200)
                ax.annotate(label, side, color=colour, fontsize=11, va="center")
        _mark_amounts(ax, amounts)
        ax.set(title=f"{method} minus {names[rival]}", ylim=(-limit, limit))
        ax.set_xlim(-0.5, len(amounts) - 0.4)
        own_scale = any(limits[other] <= common for other in names) and limit > common
        if number % columns == 0 or own_scale:
            ax.set_ylabel("points of mIoU" + ", own scale" * own_scale)
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


def _mark_amounts(ax: "Axes", amounts: Sequence[int]) -> None:
    """A tick for every amount of data."""
    ax.set_xticks(range(len(amounts)), [f"{amount:,}" for amount in amounts])
    ax.set_xlabel("labelled images")
