"""Training curves from a log."""

import json
import subprocess
import sys

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from risbook.errors import DataError
from risbook.figures import plot_log, smooth


def rows():
    steps = [{"step": s, "epoch": 0, "loss": 1 / (s + 1), "lr": 1e-3} for s in range(50)]
    scores = [
        {"kind": "evaluation", "set": "refscenes", "split": split, "step": step, "mIoU": step / 99}
        for step in (25, 50)
        for split in ("val", "testA")
    ]
    return [*steps, *scores]


def test_a_log_on_disk_and_its_records_draw_the_same(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows()))
    figures = [plot_log(path, title="a run"), plot_log(rows(), title="a run")]
    assert [len(figure.axes) for figure in figures] == [2, 2]
    curves = [[line.get_ydata().tolist() for ax in f.axes for line in ax.lines] for f in figures]
    assert curves[0] == curves[1]
    plt.close("all")


def test_a_log_without_validation_has_one_panel():
    figure = plot_log([row for row in rows() if "loss" in row])
    assert len(figure.axes) == 1
    plt.close("all")


def test_labels_lie_inside_the_figure_in_the_default_style():
    with matplotlib.rc_context(matplotlib.rcParamsDefault):
        figure = plot_log([{"step": 1, "loss": 1.0}, {"step": 2, "loss": 0.5}])
        figure.canvas.draw()
        for label in (figure.axes[0].xaxis.label, figure.axes[0].yaxis.label):
            box = label.get_window_extent()
            assert box.x0 >= 0 and box.y0 >= 0
    plt.close(figure)


def test_each_split_has_its_line_and_says_its_best():
    legend = plot_log(rows()).axes[1].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == [
        "refscenes val, best 0.51",
        "refscenes testA, best 0.51",
    ]
    plt.close("all")


def test_percentages_get_an_axis_up_to_a_hundred():
    figure = plot_log([{"step": 1, "loss": 1.0}, {"step": 1, "mIoU": 41.5}])
    assert figure.axes[1].get_ylim()[1] == 100
    plt.close("all")


def test_a_log_without_loss_or_file_is_told(tmp_path):
    with pytest.raises(DataError):
        plot_log(tmp_path / "absent.jsonl")
    with pytest.raises(DataError, match="no record"):
        plot_log([{"step": 1}])


def test_smoothing_lies_between_the_extremes_and_starts_at_the_first_value():
    values = np.array([4.0, 0.0, 2.0, 1.0])
    result = smooth(values)
    assert result[0] == 4.0
    assert result.min() >= values.min() and result.max() <= values.max()


def test_figures_import_without_matplotlib():
    code = "import sys, risbook.figures, risbook.teaching; print('matplotlib' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
