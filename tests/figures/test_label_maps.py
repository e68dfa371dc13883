"""Label maps: one colour per label, a legend, and numbers inside the objects."""

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from risbook.errors import DataError
from risbook.figures import show_label_map, use_style, write_numbers
from risbook.figures.label_maps import LABEL_COLOURS

IMAGE = np.full((30, 40, 3), 200, np.uint8)


@pytest.fixture
def ax():
    use_style()
    yield plt.subplots()[1]
    plt.close("all")


def test_a_label_fills_its_pixels_and_stands_in_the_legend(ax):
    labels = np.zeros((30, 40), dtype=int)
    labels[2:10, 3:9], labels[12:20, 20:30] = 1, 2
    show_label_map(IMAGE, labels, {1: "sheep", 2: "woman"}, ax=ax, title="which\ncategory?")
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["1: sheep", "2: woman"]
    fills = [np.asarray(image.get_array())[..., 3] > 0 for image in ax.images[1:]]
    assert [fill.sum() for fill in fills] == [48, 80]
    assert np.array_equal(fills[1], labels == 2)
    assert ax.get_title() == "which\ncategory?"


def test_a_map_of_another_size_and_a_label_without_colour_are_refused(ax):
    with pytest.raises(DataError, match=r"\(3, 4\).*\(30, 40\)"):
        show_label_map(IMAGE, np.zeros((3, 4), dtype=int), {}, ax=ax)
    labels = np.zeros((30, 40), dtype=int)
    for label in (0, len(LABEL_COLOURS) + 1):
        with pytest.raises(DataError, match=f"label {label} has no colour"):
            show_label_map(IMAGE, labels, {label: "sheep"}, ax=ax)


def test_numbers_stand_inside_the_objects(ax):
    masks = np.zeros((2, 30, 40), dtype=bool)
    masks[0, 5:9, 10:20] = True
    masks[1, :, 0] = masks[1, 29, :] = True  # an L, whose centre of mass lies outside
    write_numbers(ax, list(masks))
    assert [text.get_text() for text in ax.texts] == ["1", "2"]
    for text, mask in zip(ax.texts, masks, strict=True):
        x, y = text.get_position()
        assert mask[round(y), round(x)]
