"""Samples of drawn scenes: shapes, places of the images, and masks on the grid of patches."""

import numpy as np
import pytest

from risbook.data import open_data
from risbook.probing.frozen_scenes import FrozenTowers, to_patches


def test_the_covered_share_of_a_patch_is_that_of_its_pixels() -> None:
    mask = np.zeros((96, 96), dtype=bool)
    mask[:8, :4] = True
    shares = to_patches(mask)
    assert shares.shape == (12, 12)
    assert float(shares[0, 0]) == pytest.approx(0.5) and float(shares.sum()) == pytest.approx(0.5)


def test_samples_belong_to_the_chosen_images() -> None:
    data = open_data("refscenes+")
    samples = FrozenTowers().load(data, "val", 3)
    number = len(samples.rows)
    assert {name: tuple(x.shape) for name, x in samples.images.items()} == dict.fromkeys(
        ("tokens", "normed", "mlp"), (3, 149, 128)
    )
    assert samples.text_tokens.shape == (number, 17, 128)
    assert samples.padding.shape == (number, 17) and samples.masks.shape == (number, 12, 12)
    assert samples.image_index.unique().tolist() == [0, 1, 2] and len(samples.objects) == 3
    for row, index in zip(samples.rows, samples.image_index.tolist(), strict=True):
        assert row.category in {name for name, _ in samples.objects[index]}
