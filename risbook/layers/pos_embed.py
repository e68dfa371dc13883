"""Position embeddings for other grids: images of another size than the tower was trained on.

A pretrained tower has one learned vector per patch of its training grid (7x7, 14x14 or 37x37).
Another image size has another grid, so the embeddings are resized like a small image. The released
codes do it by two rules that differ slightly, and both are kept:

- CLIP towers in ETRIS (Xu et al., 2023): bicubic to the size of the grid.
- DINOv2 towers in DETRIS (Huang et al., 2025), as in DINOv2's own code (Oquab et al., 2024):
  bicubic by the scale factor (g + 0.1) / s for a grid of side g and embeddings of side s. The
  sampling step becomes s / (g + 0.1) instead of s / g; the 0.1 guarded the library's rounding and
  became part of the trained behaviour.

Embeddings have the shape (1, R + s * s, C), as timm keeps them: first R prefix rows (that of the
class token, if it has one), then the patches row by row.
"""

from collections.abc import Callable
from math import isqrt
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from risbook.errors import DataError

Grid = tuple[int, int]

#: added to the grid before the division by the side of the embeddings, in DINOv2's code
DINOV2_OFFSET = 0.1


def pos_grid_side(pos_embed: Tensor, *, prefix: int) -> int:
    """Side of the grid that position embeddings were trained on.

    Args:
        pos_embed: (1, R + s * s, C).
        prefix: R, rows in front that belong to no patch.

    Returns:
        The side s.

    Raises:
        DataError: for another shape, or patches that form no square grid.

    >>> pos_grid_side(torch.zeros(1, 50, 8), prefix=1)
    7
    """
    num_patches = (
        pos_embed.shape[1] - prefix if pos_embed.ndim == 3 and pos_embed.shape[0] == 1 else 0
    )
    side = isqrt(max(num_patches, 0))
    if side == 0 or side * side != num_patches:
        raise DataError(
            f"position embeddings of shape {tuple(pos_embed.shape)}: expected "
            f"(1, {prefix} + s * s, C), a square grid of s x s rows; check the tower's pos_grid "
            "and its prefix rows"
        )
    return side


def resize_clip_pos_embed(pos_embed: Tensor, grid: Grid, *, prefix: int = 1) -> Tensor:
    """Resize CLIP's position embeddings as ETRIS does: bicubic, corners not aligned.

    Args:
        pos_embed: (1, R + s * s, C).
        grid: rows and columns (h, w) of patches.
        prefix: R, rows in front, which stay as they are.

    Returns:
        (1, R + h * w, C); the given tensor where the grid is its own.

    Raises:
        DataError: if the shape is another one.

    >>> resize_clip_pos_embed(torch.zeros(1, 50, 8), (3, 5)).shape
    torch.Size([1, 16, 8])
    """
    return _resize(pos_embed, grid, prefix, lambda side: {"size": grid})


def resize_dinov2_pos_embed(pos_embed: Tensor, grid: Grid, *, prefix: int = 0) -> Tensor:
    """Resize DINOv2's position embeddings as DETRIS does: bicubic by (g + 0.1) / s.

    Arguments, result and errors are those of `resize_clip_pos_embed`, but `prefix` is 0 by default:
    the embeddings of timm's tower with registers have no prefix row. DINOv2's released ones have
    one.

    >>> resize_dinov2_pos_embed(torch.zeros(1, 37 * 37, 8), (32, 24)).shape
    torch.Size([1, 768, 8])
    """
    height, width = grid[0] + DINOV2_OFFSET, grid[1] + DINOV2_OFFSET
    return _resize(
        pos_embed, grid, prefix, lambda side: {"scale_factor": (height / side, width / side)}
    )


def _resize(
    pos_embed: Tensor, grid: Grid, prefix: int, target: Callable[[int], dict[str, Any]]
) -> Tensor:
    """Resize; `target` says for the trained side which size or scale `interpolate` gets."""
    side = pos_grid_side(pos_embed, prefix=prefix)
    if grid == (side, side):
        return pos_embed
    # In float32 whatever the precision, so that only the result is rounded.
    image = rearrange(pos_embed[:, prefix:].float(), "b (row column) c -> b c row column", row=side)
    image = F.interpolate(image, **target(side), mode="bicubic", align_corners=False)
    rows = rearrange(image, "b c row column -> b (row column) c").to(pos_embed.dtype)
    return torch.cat([pos_embed[:, :prefix], rows], dim=1)
