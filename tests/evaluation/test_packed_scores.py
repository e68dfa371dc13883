"""Scores as text: back to within the rounding, and damage is reported."""

import numpy as np
import pytest

from risbook.errors import DataError
from risbook.evaluation.packed_scores import (
    pack_image_ids,
    pack_scores,
    unpack_image_ids,
    unpack_scores,
)


def test_scores_come_back() -> None:
    scores = np.random.default_rng(0).random(999)
    text = pack_scores(scores.tolist())
    assert len(text) < 2.7 * 999 and text.isascii()
    assert np.abs(unpack_scores(text) - scores).max() <= 0.5 / 10_000 + 1e-12
    assert unpack_scores(pack_scores([])).tolist() == []


@pytest.mark.parametrize("text", ["AACI*", "AA==", "//8="])
def test_damage_is_reported(text: str) -> None:
    with pytest.raises(DataError, match="scores of a result file"):
        unpack_scores(text)


def test_images_come_back_as_groups() -> None:
    image_ids = [40, 40, 7, 9, 9, 9]
    assert unpack_image_ids(pack_image_ids(image_ids)) == [0, 0, 1, 2, 2, 2]
    assert unpack_image_ids(pack_image_ids([])) == []
    with pytest.raises(DataError, match="do not stand together"):
        pack_image_ids([1, 2, 1])
    with pytest.raises(DataError, match="damaged"):
        unpack_image_ids("3 two")
