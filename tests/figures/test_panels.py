"""Several images side by side."""

import itertools

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from risbook.errors import DataError
from risbook.figures import compare_masks, show_panels, use_style, wrap_title


@pytest.fixture(autouse=True)
def close_figures():
    use_style()
    yield
    plt.close("all")


def image(height=60, width=80):
    return np.full((height, width, 3), 200, np.uint8)


def test_masks_heat_and_colours():
    mask = np.eye(60, 80, dtype=bool)
    panels = [
        {"image": image(), "truth": mask, "prediction": mask, "title": "a mug"},
        {"image": image(), "heat": np.eye(4), "limits": (0, 2)},
        {"image": np.full((20, 30, 3), 0.5), "title": "colours"},
    ]
    figure = show_panels(panels, columns=2)
    assert len(figure.axes) == 4
    assert [len(ax.images) for ax in figure.axes] == [2, 2, 1, 0]
    assert figure.axes[1].images[1].get_clim() == (0, 2)
    assert not figure.legends
    with pytest.raises(DataError, match="nothing to draw"):
        show_panels([])


def test_a_legend_names_what_any_panel_has():
    mask = np.eye(60, 80, dtype=bool)
    other = np.roll(mask, 3, axis=0)
    panels = [
        {"image": image(), "truth": mask, "prediction": other, "error": True},
        {"image": image(), "truth": mask},
    ]
    (legend,) = show_panels(panels, legend=True).legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["ground truth", "prediction", "error"]
    (legend,) = show_panels(panels[1:], legend=True).legends
    assert [text.get_text() for text in legend.get_texts()] == ["ground truth"]


def test_titles_are_wrapped_and_never_cut():
    words = "the woman in the red coat who stands to the left of the very small blue car"
    figure = show_panels([{"image": image(), "title": words}] * 3, columns=3, cell=2.6)
    figure.canvas.draw()
    width, height = figure.get_size_inches() * figure.dpi
    for ax in figure.axes[:3]:
        assert " ".join(ax.get_title().split()) == words
        extent = ax.title.get_window_extent()
        assert extent.x0 >= -1 and extent.y1 <= height + 1 and extent.x1 <= width + 1


def test_a_number_in_a_title_stays_with_the_word_before_it():
    panel = {"image": image(), "title": "the rightmost vase, IoU 0.03"}
    (ax,) = show_panels([panel]).axes
    assert ax.get_title() == "the rightmost vase,\nIoU 0.03"
    assert wrap_title("gain -0.25", 8) == "gain -0.25"


def test_portrait_and_landscape_share_a_row():
    panels = [{"image": image(90, 60)}, {"image": image(60, 90), "title": "it"}]
    assert len(show_panels(panels, columns=2).axes) == 2


def test_titles_of_a_row_stand_at_one_height():
    panels = [
        {"image": image(90, 60), "title": "a portrait"},
        {"image": image(60, 90), "title": "a landscape with a title of two lines or so"},
    ]
    figure = show_panels(panels, columns=2)
    figure.canvas.draw()
    extents = [ax.title.get_window_extent() for ax in figure.axes]
    assert abs(extents[0].y0 - extents[1].y0) < 3  # a g reaches lower
    height = figure.get_size_inches()[1] * figure.dpi
    assert all(extent.y1 <= height + 1 for extent in extents)


def test_a_grid_divides_the_image_into_cells():
    panels = [{"image": image()}, {"image": image(), "grid": 40}]
    first, second = show_panels(panels, grid=12).axes
    assert [len(lines.get_segments()) for lines in first.collections[:2]] == [6, 4]
    assert [len(lines.get_segments()) for lines in second.collections[:2]] == [1, 1]
    assert first.get_xlim() == (-0.5, 79.5)
    with pytest.raises(DataError, match="grid"):
        show_panels([{"image": image()}], grid=0)


def test_long_titles_of_neighbours_do_not_overlap_in_the_default_style():
    panel = {
        "image": np.zeros((60, 40, 3), np.uint8),
        "title": "brown spotted shirt man left of it",
    }
    with mpl.rc_context(mpl.rcParamsDefault):
        figure = show_panels([panel] * 4)
        figure.canvas.draw()
        boxes = [ax.title.get_window_extent() for ax in figure.axes]
        assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
    plt.close(figure)


def test_a_compared_mask_has_its_errors_and_its_iou():
    truth, prediction = np.zeros((60, 80), bool), np.zeros((60, 80), bool)
    truth[:, :40], prediction[:, 20:60] = True, True
    panel = compare_masks(image(), truth, prediction, "left dog")
    assert panel["title"] == "left dog: IoU 0.33"
    assert panel["error"].sum() == 60 * 40
    assert compare_masks(image(), truth, truth)["title"] == "IoU 1.00"
    empty = np.zeros((60, 80), bool)
    assert compare_masks(image(), empty, empty)["title"] == "IoU 0.00"
    with pytest.raises(DataError, match="prediction"):
        compare_masks(image(), truth, prediction[:, 1:])
    show_panels([panel], legend=True)
