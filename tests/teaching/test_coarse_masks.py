"""Coarse masks: the majority of a cell decides, at the border too."""

import numpy as np
import pytest

from risbook.teaching import coarsen


def test_cells_of_one_pixel_change_nothing() -> None:
    mask = np.random.default_rng(0).random((7, 5)) > 0.5
    assert np.array_equal(coarsen(mask, 1), mask)


@pytest.mark.parametrize(("columns", "expected"), [(2, 0), (3, 16)])
def test_a_cell_is_set_when_more_than_half_of_it_is_covered(columns: int, expected: int) -> None:
    mask = np.zeros((4, 4), dtype=bool)
    mask[:, :columns] = True
    assert coarsen(mask, 4).sum() == expected


def test_a_cut_cell_counts_the_outside_as_zero() -> None:
    coarse = coarsen(np.ones((6, 5), dtype=bool), 4)
    assert coarse.shape == (6, 5)
    assert coarse[:4, :4].all()
    assert not coarse[:, 4].any()
    assert not coarse[4:].any()
