"""Masks on images."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from risbook.errors import DataError
from risbook.figures import ROLES, show_referring, use_style
from risbook.figures.overlays import as_image, as_mask


@pytest.fixture(autouse=True)
def close_figures():
    use_style()
    yield
    plt.close("all")


def scene(height=60, width=80):
    image = np.full((height, width, 3), 200, np.uint8)
    truth = np.zeros((height, width), bool)
    truth[10:40, 20:50] = True
    prediction = np.roll(truth, 8, axis=1)
    return image, truth, prediction


def rendered(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)


def near(pixels, colour):
    wanted = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
    return int((np.abs(pixels - wanted).sum(-1) < 40).sum())


def test_truth_is_an_outline_prediction_a_fill_and_error_a_hatch():
    image, truth, prediction = scene()
    outline = near(rendered(show_referring(image, truth)), ROLES["truth"])
    assert 0 < outline < truth.mean() * 4.2 * 100 * 3.15 * 100 / 2  # a line, not an area
    figure = show_referring(image, truth, prediction, error=True)
    assert near(rendered(figure), ROLES["error"]) > 0
    hatched = [c for c in figure.axes[0].collections if getattr(c, "hatches", None)]
    assert [c.hatches for c in hatched if c.hatches[0]] == [["//"]]
    assert len(figure.axes[0].images) == 2  # the image and the translucent fill
    alpha = figure.axes[0].images[1].get_array()[..., 3]
    assert np.array_equal(alpha > 0, prediction)
    assert 0.3 < alpha.max() < 0.8


def test_background_is_white_even_on_a_dark_page():
    figure = show_referring(scene()[0], title="a grey wall")
    assert tuple(rendered(figure)[0, 0]) == (255, 255, 255)


def test_tensors_floats_and_channels_first_are_images():
    image = torch.rand(3, 60, 80, requires_grad=True)
    assert as_image(image).shape == (60, 80, 3)
    assert as_image(np.zeros((5, 7), np.uint8)).shape == (5, 7, 3)
    assert as_mask(torch.ones(1, 60, 80), (60, 80), "truth").all()


def test_mistakes_are_told_in_one_line():
    image, truth, _ = scene()
    with pytest.raises(DataError, match=r"truth: the mask is \(30, 80\)"):
        show_referring(image, truth[:30])
    with pytest.raises(DataError, match="error=True needs both"):
        show_referring(image, truth, error=True)
    with pytest.raises(DataError, match="expected"):
        as_image(np.zeros((2, 3, 4, 5)))


def test_legend_names_what_is_drawn():
    image, truth, prediction = scene()
    figure = show_referring(image, truth, prediction, legend=True)
    names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert names == ["ground truth", "prediction"]


def test_a_prediction_has_an_edge_on_an_object_of_its_colour():
    image = np.full((20, 20, 3), (86, 180, 233), np.uint8)
    mask = np.zeros((20, 20), bool)
    mask[5:15, 5:15] = True
    pixels = rendered(show_referring(image, prediction=mask))
    inside = pixels[80:-80, 40:-40]
    assert inside.min() < 40 and (inside.min(axis=-1) > 200).any()  # dark and white
    assert not show_referring(image, prediction=np.zeros((20, 20), bool)).axes[0].collections
