"""Regions: which positions a box covers, and the mean of the vectors there."""

import torch

from risbook.pretraining.region_vectors import box_weights, region_vectors


def test_a_box_covers_positions_in_shares() -> None:
    weights = box_weights(torch.tensor([[0.125, 0.25, 0.5, 0.25]]), (4, 4))[0]
    expected = torch.zeros(4, 4)
    expected[1] = torch.tensor([0.5, 1.0, 0.5, 0.0])
    assert torch.allclose(weights, expected)


def test_what_lies_outside_of_the_view_counts_for_nothing() -> None:
    weights = box_weights(torch.tensor([[-0.5, -0.5, 1.0, 1.0]]), (2, 2))[0]
    assert weights.tolist() == [[1.0, 0.0], [0.0, 0.0]]


def test_a_region_has_the_weighted_mean_of_its_positions() -> None:
    feature_map = torch.arange(8.0).reshape(1, 2, 2, 2).repeat(3, 1, 1, 1)
    feature_map[2] *= 10
    boxes = torch.tensor([[0.0, 0.0, 1.0, 0.5], [0.0, 0.0, 0.75, 0.5]])
    vectors = region_vectors(feature_map, torch.tensor([0, 2]), boxes)
    assert torch.allclose(vectors[0], torch.tensor([0.5, 4.5]))
    assert torch.allclose(vectors[1], 10 * torch.tensor([1 / 3, 4 + 1 / 3]))
