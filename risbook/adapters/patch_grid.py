"""Patches in a sequence and on their grid."""

import math

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from risbook.errors import ArgumentError
from risbook.layers.pos_embed import Grid


def patches_to_map(patches: Tensor, grid: Grid | None = None) -> Tensor:
    """Patches (B, N, r), row by row, as a map (B, r, h, w).

    Args:
        patches: without class token, registers and prompts.
        grid: h and w; None for a square image. Positions beyond the last patch are filled with
            zeros, as the released MiCA fills up a square.

    Raises:
        ArgumentError: if there are more patches than positions, or no grid and no square.

    >>> import torch
    >>> patches_to_map(torch.ones(1, 5, 1), (2, 3)).flatten().tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 0.0]
    """
    num_patches = patches.shape[1]
    height, width = square_grid(num_patches) if grid is None else grid
    if height * width < num_patches:
        raise ArgumentError(
            f"{num_patches} patches do not fit into {height} x {width}; num_extra_tokens= says how "
            "many tokens stand before them"
        )
    filled = F.pad(patches, (0, 0, 0, height * width - num_patches))
    feature_map: Tensor = rearrange(filled, "b (h w) r -> b r h w", h=height)
    return feature_map


def map_to_patches(feature_map: Tensor) -> Tensor:
    """The map (B, r, h, w) as patches (B, h w, r), row by row."""
    patches: Tensor = rearrange(feature_map, "b r h w -> b (h w) r")
    return patches


def square_grid(num_patches: int) -> Grid:
    """The grid of a square image.

    Raises:
        ArgumentError: if the patches form no square.
    """
    side = math.isqrt(num_patches)
    if side == 0 or side**2 != num_patches:
        raise ArgumentError(
            f"{num_patches} patches form no square: give the rows and columns of patches, "
            "grid=(h, w), or the number of tokens before them, num_extra_tokens="
        )
    return side, side
