"""Feature maps made visible: colours that mean something, and sizes that are checked."""

import matplotlib as mpl
import numpy as np
import pytest
import torch

from risbook.errors import DataError
from risbook.figures import heatmap_panels, pca_colours, show_heatmap, show_matrix

mpl.use("agg")


def two_regions() -> np.ndarray:
    """Two maps of 8 channels whose left and right halves have features of their own."""
    rng = np.random.default_rng(0)
    maps = rng.normal(scale=0.01, size=(2, 8, 4, 6))
    maps[:, 0, :, :3] += 1
    maps[:, 1, :, 3:] += 1
    return maps


def test_one_feature_has_one_colour_in_all_maps():
    colours = pca_colours(two_regions())
    left, right = colours[..., :3, :], colours[..., 3:, :]
    assert colours.shape == (2, 4, 6, 3)
    assert colours.min() >= 0 and colours.max() <= 1
    first = colours[..., 0]  # the first component separates the halves, alike in both maps
    assert abs(first[0].mean() - first[1].mean()) < 0.05
    assert abs(left[..., 0].mean() - right[..., 0].mean()) > 0.8


def test_a_sign_does_not_depend_on_the_sign_that_the_solver_finds():
    maps = two_regions()
    assert np.allclose(pca_colours(maps), pca_colours(torch.from_numpy(maps)), atol=1e-6)
    assert np.allclose(pca_colours(maps), pca_colours(maps + 3.0), atol=1e-6)


@pytest.mark.parametrize("shape", [(8, 4, 4), (1, 2, 4, 4)])
def test_other_shapes_are_told(shape):
    with pytest.raises(DataError, match="pca_colours"):
        pca_colours(np.zeros(shape))


def test_heat_covers_the_image():
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    show_heatmap(
        np.zeros((20, 30, 3), np.uint8), np.eye(4), ax=ax, title="a red $ mug", limits=(0, 1)
    )
    assert ax.images[1].get_extent() == [-0.5, 29.5, 19.5, -0.5]
    assert ax.images[1].get_clim() == (0, 1)
    assert ax.get_title() == r"a red \$ mug"
    plt.close(figure)
    with pytest.raises(DataError, match="not \\(h, w\\)"):
        show_heatmap(np.zeros((20, 30, 3), np.uint8), np.zeros(4), ax=ax)


def test_matrix_has_a_frame_and_a_image_for_each_row():
    import matplotlib.pyplot as plt

    images = [np.full((8, 8, 3), 20 * n, np.uint8) for n in range(3)]
    figure = show_matrix(torch.eye(3), images=images, sentences=["a", "b", "c"])
    ax = figure.axes[0]
    assert len(ax.images) == 4 and len(ax.patches) == 3
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "c"]
    plt.close(figure)
    with pytest.raises(DataError, match="as many of each"):
        show_matrix(torch.eye(3), images=images, sentences=["a"])


def test_responses_of_one_image_share_their_scale():
    image, cosines = np.zeros((40, 80, 3), np.uint8), torch.rand(4, 4, 2)
    samples = heatmap_panels(cosines, image, 64, ["a mug", "a dog"])
    assert [panel["title"] for panel in samples] == ["a mug", "a dog"]
    shown = cosines[1:3]  # the outer rows lie on the letterbox's empty strips
    assert samples[0]["limits"] == samples[1]["limits"] == (shown.min(), shown.max())
    assert tuple(samples[0]["heat"].shape) == (40, 80)
    with pytest.raises(DataError, match="1 titles"):
        heatmap_panels(cosines, image, 64, ["a mug"])


def test_padding_takes_no_colours() -> None:
    maps = two_regions()
    padded = np.pad(maps, ((0, 0), (0, 0), (1, 1), (0, 0)), constant_values=100.0)
    valid = np.zeros((padded.shape[0], *padded.shape[2:]), bool)
    valid[:, 1:-1] = True
    assert np.allclose(pca_colours(padded, valid=valid)[:, 1:-1], pca_colours(maps), atol=1e-6)
    assert not np.allclose(pca_colours(padded)[:, 1:-1], pca_colours(maps), atol=0.1)
    with pytest.raises(DataError, match="valid is"):
        pca_colours(maps, valid=valid)
