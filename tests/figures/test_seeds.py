"""Bars with one dot per run."""

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import pytest

from risbook.errors import DataError
from risbook.figures import show_seeds


def test_each_run_is_a_dot_and_each_mean_a_bar():
    figure = show_seeds(
        {"full": [28.0, 32.0], "no sentence": [14.0]}, label="mIoU, %", reference=("rule", 19.0)
    )
    (ax,) = figure.axes
    assert [bar.get_width() for bar in ax.patches] == [30.0, 14.0]
    assert [len(line.get_xdata()) for line in ax.lines] == [2, 1, 2]
    assert [text.get_text() for text in ax.texts] == ["mean 30.0", "mean 14.0"]
    figure.canvas.draw()
    tops = [text.get_window_extent().y0 for text in ax.texts]
    assert tops[0] > tops[1]  # the first row is on top
    right = ax.get_window_extent().x1
    assert all(text.get_window_extent().x1 <= right for text in ax.texts)
    plt.close(figure)


def test_a_row_without_a_run_is_refused():
    for results in ({}, {"full": []}):
        with pytest.raises(DataError, match="show_seeds"):
            show_seeds(results, label="mIoU")
