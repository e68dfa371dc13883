"""A prediction painted into a image."""

import numpy as np
import pytest
from PIL import Image

from risbook.errors import DataError
from risbook.figures import paint_mask


def test_only_the_mask_changes_and_the_image_shines_through():
    image = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    mask = np.zeros((6, 8), bool)
    mask[2:4, 3:6] = True
    painted = paint_mask(Image.fromarray(image), mask)
    assert painted.dtype == np.uint8
    assert np.array_equal(painted[~mask], image[~mask])
    assert (painted[mask] != image[mask]).any()
    assert len(np.unique(painted[mask], axis=0)) > 1
    assert np.array_equal(paint_mask(image / 255, mask), painted)


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(DataError, match="mask"):
        paint_mask(np.zeros((6, 8, 3), np.uint8), np.zeros((8, 6), bool))


def test_an_edge_lies_inside_the_mask_and_not_at_the_border_of_the_image():
    image = np.zeros((8, 9, 3), np.uint8)
    mask = np.zeros((8, 9), bool)
    mask[2:7, 4:] = True
    white = (paint_mask(image, mask, edge=1) == 255).all(axis=-1)
    expected = mask.copy()
    expected[3:6, 5:] = False
    assert np.array_equal(white, expected)
    assert (paint_mask(image, mask, edge=2) == 255).all(axis=-1).sum() > white.sum()
    assert not (paint_mask(image, np.ones((8, 9), bool), edge=2) == 255).all(axis=-1).any()
