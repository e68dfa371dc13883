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
