"""Patches in a sequence and on their grid."""

import math

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from risbook.errors import ArgumentError
from risbook.layers.pos_embed import Grid


def fit_grid(
    num_tokens: int,
    grid: Grid | None = None,
    num_extra_tokens: int | None = None,
    *,
    fill_grid: bool = False,
) -> tuple[Grid, int]:
    """The grid of the patches and the number of tokens before them, of N tokens.

    All adapters have one rule: N is the number of extra tokens plus h w.

    Args:
        num_tokens: N.
        grid: h and w; None for a square image.
        num_extra_tokens: class token, registers and prompts. None for what the grid leaves over, or
            without a grid for a class token alone.
        fill_grid: whether the grid may have more positions than there are patches; the number of
            extra tokens then has to be given.

    Raises:
        ArgumentError: if the tokens do not fit.

    >>> fit_grid(17), fit_grid(20, (3, 5)), fit_grid(20, None, 4)
    (((4, 4), 1), ((3, 5), 5), ((4, 4), 4))
    """
    if grid is None:
        num_extra_tokens = 1 if num_extra_tokens is None else num_extra_tokens
        return square_grid(max(num_tokens - num_extra_tokens, 0)), num_extra_tokens
    positions = grid[0] * grid[1]
    rows_and_columns = f"{grid[0]} x {grid[1]} patches"
    if num_extra_tokens is None:
        if num_tokens < positions:
            raise ArgumentError(f"{num_tokens} tokens are fewer than {rows_and_columns}")
        return grid, num_tokens - positions
    num_patches = num_tokens - num_extra_tokens
    if num_patches != positions and not (fill_grid and 0 < num_patches < positions):
        raise ArgumentError(
            f"{num_tokens} tokens are not {num_extra_tokens} and {rows_and_columns}: "
            "num_extra_tokens= says how many tokens stand before the patches, and grid=(h, w) how "
            "many rows and columns of patches there are"
        )
    return grid, num_extra_tokens


def patches_to_map(patches: Tensor, grid: Grid) -> Tensor:
    """Patches (B, N, r), row by row, as a map (B, r, h, w).

    Args:
        patches: without class token, registers and prompts.
        grid: h and w. Positions beyond the last patch are filled with zeros, as the released MiCA
            fills up a square; `fit_grid` has checked whether there may be any.

    >>> import torch
    >>> patches_to_map(torch.ones(1, 5, 1), (2, 3)).flatten().tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 0.0]
    """
    height, width = grid
    filled = F.pad(patches, (0, 0, 0, height * width - patches.shape[1]))
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
