"""Maps with their numbers."""

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from risbook.errors import DataError
from risbook.figures import show_number_grids


def test_numbers_stand_in_their_cells_and_the_maps_share_a_scale():
    grids = {"a": torch.tensor([[1.0, -2.0]], requires_grad=True), "b": np.zeros((2, 2))}
    figure = show_number_grids(grids, label="change", digits=1)
    first, second, bar = figure.axes
    assert [text.get_text() for text in first.texts] == ["1.0", "-2.0"]
    assert [text.get_position() for text in first.texts] == [(0, 0), (1, 0)]
    assert len(second.texts) == 4
    assert first.images[0].get_clim() == second.images[0].get_clim() == (-3.2, 3.2)
    assert bar.get_ylabel() == "change"
    plt.close(figure)


def test_other_shapes_are_refused():
    for grids in ({}, {"a": np.zeros(3)}):
        with pytest.raises(DataError, match="show_number_grids"):
            show_number_grids(grids, label="change")
    plt.close(show_number_grids({"a": np.zeros((1, 1))}, label="change"))
