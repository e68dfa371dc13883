"""Figures of a label study: scores of all methods, and where one method wins or loses."""

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from risbook.errors import DataError
from risbook.figures import show_label_gains, show_label_scores
from risbook.studies.label_comparisons import compare_with_rivals
from risbook.studies.label_curves import LabelPoint

IMAGE_IDS = np.repeat(np.arange(40), 2).tolist()
NAMES = {"scratch": "from scratch", "frozen": "frozen towers", "etris": "ETRIS"}
SPLITS = {"test_seen": "seen", "test_unseen": "unseen"}


def point(method: str, num_images: int, split: str, score: float) -> LabelPoint:
    """Three seeds whose IoUs scatter around a score; an expression is hard for all alike."""
    hardness = np.random.default_rng(0).uniform(-0.2, 0.2, len(IMAGE_IDS))
    noise = np.random.default_rng(len(method)).normal(0, 0.02, (3, len(IMAGE_IDS)))
    ious = score + hardness - hardness.mean() + noise - noise.mean()
    return LabelPoint(method, num_images, split, (0, 1, 2), ious, IMAGE_IDS, 400, 60.0)


SCORES = {"scratch": 0.2, "frozen": 0.5, "etris": 0.501}
POINTS = [
    point(method, amount, split, score + 0.0001 * amount)
    for method, score in SCORES.items()
    for amount in (125, 500)
    for split in SPLITS
]
COMPARISONS = compare_with_rivals(
    POINTS, "etris", rivals=("scratch", "frozen"), splits=tuple(SPLITS), amounts=(125, 500)
)


def words(ax: plt.Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_several_amounts_are_labelled_lines_with_intervals():
    figure = show_label_scores(POINTS, names=NAMES, splits=SPLITS, amounts=(125, 500))
    left, right = figure.axes
    assert (left.get_title(), right.get_title()) == ("seen", "unseen")
    assert words(left) == list(NAMES.values())  # a label per line, and no other word
    lines = [line for line in left.lines if line.get_marker() == "None"]
    curves = [line for line in lines if len(set(line.get_xdata())) == 2]
    assert [line.get_ydata()[-1] for line in curves] == pytest.approx([25, 55, 55.1], abs=0.2)
    assert len(lines) - len(curves) == 6  # three methods, two amounts
    labels = {text.get_text(): text.get_position()[1] for text in left.texts}
    assert labels["ETRIS"] - labels["frozen towers"] > 1.5  # not one on the other
    plt.close(figure)


def test_one_amount_is_a_dot_plot_with_the_score_beside_every_mark():
    figure = show_label_scores(POINTS, names=NAMES, splits=SPLITS, amounts=(500,))
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == list(NAMES.values())
    assert words(ax).count("25.0") == 2 and words(ax).count("55.1") == 2
    assert words(ax).count("seen") == words(ax).count("unseen") == 1
    intervals = [line for line in ax.lines if len(line.get_xdata()) == 2]
    assert len(intervals) == 6  # three methods, two splits
    score = next(p for p in POINTS if (p.method, p.num_images) == ("scratch", 500)).mean()
    assert intervals[0].get_xdata() == pytest.approx([100 * score.low, 100 * score.high])
    plt.close(figure)


def test_gains_are_filled_only_where_the_joint_interval_decides():
    names = {"scratch": "from scratch", "frozen": "frozen towers"}
    figure = show_label_gains(COMPARISONS, method="ETRIS", names=names, splits=SPLITS)
    scratch, frozen = figure.axes
    assert "from scratch" in scratch.get_title()
    marks = [line for line in scratch.lines if line.get_marker() in "os"]
    assert len(marks) == 4  # two splits, two amounts
    assert all(line.get_markerfacecolor() == line.get_color() for line in marks)
    undecided = [c for c in COMPARISONS if c.rival == "frozen" and c.verdict == "undecided"]
    hollow = [line for line in frozen.lines if line.get_markerfacecolor() == "white"]
    assert len(hollow) == len(undecided) > 0
    assert {"seen", "unseen", "ETRIS higher", "ETRIS lower"} <= set(words(scratch))
    # A difference of 30 points and one of 0.1 do not share a scale.
    assert scratch.get_ylim()[1] > 5 * frozen.get_ylim()[1]
    assert "own scale" in scratch.get_ylabel() and "own scale" not in frozen.get_ylabel()
    plt.close(figure)


def test_single_trainings_are_hollow_and_have_no_interval():
    single = [
        LabelPoint(p.method, p.num_images, p.split, (0,), p.ious[:1], IMAGE_IDS, 400, 60.0)
        for p in POINTS
        if p.num_images == 500
    ]
    comparisons = compare_with_rivals(
        single, "etris", rivals=("scratch",), splits=tuple(SPLITS), amounts=(500,)
    )
    assert {c.verdict for c in comparisons} == {"one seed: undecided"}
    figure = show_label_gains(comparisons, method="ETRIS", names={"scratch": "x"}, splits=SPLITS)
    marks = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 1]
    assert len(marks) == 2
    assert {line.get_markerfacecolor() for line in marks} == {"white"}
    assert len(figure.axes[0].lines) == 3  # the marks and the line at 0
    plt.close(figure)
    figure = show_label_scores(single, names=NAMES, splits=SPLITS, amounts=(500,))
    marks = figure.axes[0].lines
    assert {len(line.get_xdata()) for line in marks} == {1}
    assert {line.get_markerfacecolor() for line in marks} == {"white"}
    assert "24.9 (one seed)" in words(figure.axes[0])
    plt.close(figure)


def test_what_is_not_there_is_refused():
    with pytest.raises(DataError, match="no amount of data is recorded in full"):
        show_label_scores(POINTS, names=NAMES, splits=SPLITS, amounts=())
    with pytest.raises(DataError, match="no point of 'scratch' with 2000 images on 'test_seen'"):
        show_label_scores(POINTS, names=NAMES, splits=SPLITS, amounts=(2000,))
    three = {"a": "a", "b": "b", "c": "c"}
    with pytest.raises(DataError, match="two splits at most, not 3"):
        show_label_scores(POINTS, names=NAMES, splits=three, amounts=(500,))
    options = {"method": "ETRIS", "splits": SPLITS}
    with pytest.raises(DataError, match="no comparison with 'full'"):
        show_label_gains(COMPARISONS, names={"full": "full tuning"}, **options)
    options["splits"] = {"a": "a", "b": "b", "c": "c"}
    with pytest.raises(DataError, match="two splits at most, not 3"):
        show_label_gains(COMPARISONS, names={"frozen": "frozen"}, **options)
