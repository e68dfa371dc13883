"""Curves of a label study, on points that are made up."""

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from risbook.errors import DataError
from risbook.figures import show_label_curves
from risbook.studies.label_curves import LabelPoint

IMAGE_IDS = np.repeat(np.arange(40), 2).tolist()
NAMES = {"frozen": "no Bridgers", "etris": "with Bridgers"}


def point(method: str, num_images: int, score: float, seeds: tuple[int, ...]) -> LabelPoint:
    """A point whose IoUs scatter around a score; expressions are hard for every method alike."""
    hardness = np.random.default_rng(0).uniform(-0.2, 0.2, len(IMAGE_IDS))
    hardness -= hardness.mean()
    ious = np.stack([score + hardness + 0.01 * seed for seed in seeds])
    return LabelPoint(method, num_images, "test_seen", seeds, ious, IMAGE_IDS, 400, 60.0)


POINTS = [
    point("etris", 500, 0.5, (0, 1, 2)),
    point("etris", 125, 0.4, (0, 1, 2)),
    point("frozen", 125, 0.3, (0, 1, 2)),
    point("frozen", 500, 0.45, (0,)),
]


def filled(ax: plt.Axes) -> list[tuple[float, float]]:
    """Places and heights of the filled points."""
    return [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
        for line in ax.lines
        if line.get_marker() in "os" and len(line.get_xdata()) == 1
    ]


def intervals(ax: plt.Axes) -> list[tuple[float, float]]:
    """Lower and upper ends of the vertical lines."""
    ends = []
    for line in ax.lines:
        x, y = line.get_xdata(), line.get_ydata()
        if line.get_marker() == "None" and len(x) == 2 and x[0] == x[1]:
            ends.append((float(y[0]), float(y[1])))
    return ends


def test_points_of_several_seeds_are_filled_and_have_an_interval():
    figure = show_label_curves(POINTS, reference="frozen", names=NAMES)
    left, right = figure.axes
    heights = sorted(round(height) for _, height in filled(left))
    assert heights == [31, 41, 51]  # frozen with 125, Bridgers with 125 and 500
    assert len(intervals(left)) == 3
    assert all(low < high for low, high in intervals(left))
    # Only where both methods have several seeds is their difference filled.
    [(_, gain)] = filled(right)
    assert gain == pytest.approx(10)
    [(low, high)] = intervals(right)
    assert low <= gain <= high
    assert high - low < min(end - begin for begin, end in intervals(left)) / 2  # paired
    assert [text.get_text() for text in figure.legends[0].texts] == list(NAMES.values())
    assert "no Bridgers" in right.get_ylabel()
    plt.close(figure)


def test_a_single_run_is_hollow_and_stands_on_its_curve():
    figure = show_label_curves(POINTS, reference="frozen", names=NAMES)
    left, right = figure.axes
    hollow = [line for line in left.lines if line.get_markerfacecolor() == "white"]
    heights = [line.get_ydata() for line in hollow]
    assert heights[0] == pytest.approx([31, 45], abs=1)
    assert [text.get_text() for text in left.get_xticklabels()] == ["125", "500"]
    hollow = [line for line in right.lines if line.get_markerfacecolor() == "white"]
    assert len(hollow) == 1
    assert len(hollow[0].get_xdata()) == 2
    plt.close(figure)


def test_methods_are_drawn_under_their_own_names_if_there_are_no_others():
    figure = show_label_curves(POINTS, reference="etris")
    assert [text.get_text() for text in figure.legends[0].texts] == ["etris", "frozen"]
    plt.close(figure)


@pytest.mark.parametrize(
    ("points", "options", "message"),
    [
        ([], {"reference": "frozen"}, "there are none"),
        (POINTS, {"reference": "full"}, "no point of the method 'full'"),
        (POINTS, {"reference": "frozen", "names": {"lora": "LoRA"}}, "the method 'lora'"),
    ],
)
def test_points_that_are_not_there_are_refused(points, options, message):
    with pytest.raises(DataError, match=message):
        show_label_curves(points, **options)


def test_two_splits_never_share_a_figure():
    other = LabelPoint("etris", 125, "val", (0,), np.zeros((1, 80)), IMAGE_IDS, 400, 60.0)
    with pytest.raises(DataError, match="of test_seen, val"):
        show_label_curves([*POINTS, other], reference="frozen")
