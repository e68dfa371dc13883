"""Vectors of regions of a feature map: the mean of the positions that a box covers.

Contrastive pretraining on whole images supervises one vector per image and no position of its
last map. RegionCLIP (Zhong et al., 2022, "RegionCLIP: Region-based language-image pretraining")
compares regions with text as well, so that positions come to lie near the words for what they show.
"""

import torch
from torch import Tensor


def box_weights(boxes: Tensor, grid: tuple[int, int]) -> Tensor:
    """The share of each position of a grid that a box covers.

    Args:
        boxes: (N, 4): x, y, width and height in units of the view's side; the view is the square
            from 0 to 1, and what lies outside of it counts for nothing.
        grid: rows h and columns w.

    Returns:
        (N, h, w) in [0, 1].

    >>> box_weights(torch.tensor([[0.0, 0.5, 0.75, 0.5]]), (2, 2))
    tensor([[[0.0000, 0.0000],
             [1.0000, 0.5000]]])
    """
    x, y, width, height = boxes.unbind(1)
    rows = _covered(y, y + height, grid[0])
    columns = _covered(x, x + width, grid[1])
    return rows[:, :, None] * columns[:, None, :]


def _covered(low: Tensor, high: Tensor, count: int) -> Tensor:
    """The covered share of each of `count` equal parts of 0 to 1, (N, count)."""
    start = torch.arange(count, device=low.device)
    low, high = low[:, None] * count, high[:, None] * count
    return (torch.minimum(high, start + 1) - torch.maximum(low, start)).clamp(0, 1)


def region_vectors(feature_map: Tensor, image_indices: Tensor, boxes: Tensor) -> Tensor:
    """The mean vector of each region, not normalised.

    Args:
        feature_map: (B, P, h, w).
        image_indices: (N,): the image of each region.
        boxes: (N, 4), as in `box_weights`; each covers a part of the view.

    Returns:
        (N, P).
    """
    height, width = feature_map.shape[-2:]
    weights = box_weights(boxes, (height, width))
    weights = weights / weights.sum(dim=(1, 2), keepdim=True).clamp_min(1e-6)
    maps = feature_map[image_indices].flatten(2).float()
    return torch.einsum("n p k, n k -> n p", maps, weights.flatten(1))
