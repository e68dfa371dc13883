"""Position embeddings for other grids: images of another size than the tower was trained on.

A pretrained tower has one learned vector per patch of its training grid (7x7, 14x14 or 37x37).
Another image size has another grid, so the embeddings are resized like a small image. The released
codes do it by two rules that differ slightly, and both are kept:

- CLIP towers in ETRIS (Xu et al., 2023): bicubic to the size of the grid.
- DINOv2 towers in DETRIS (after DINOv2's own code, Oquab et al., 2024): bicubic by the scale factor
  (g + 0.1) / s for a grid of side g and embeddings of side s. The sampling step becomes
  s / (g + 0.1) instead of s / g; the 0.1 guarded the library's rounding and became part of the
  trained behaviour.

Embeddings have the shape (1, P + s * s, C), as timm keeps them: first P prefix rows (that of the
class token, if it has one), then the patches row by row.
"""

from collections.abc import Callable
from functools import partial
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
        pos_embed: (1, P + s * s, C).
        prefix: P, rows in front that belong to no patch.

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
        pos_embed: (1, P + s * s, C).
        grid: rows and columns (h, w) of patches.
        prefix: P, rows in front, which stay as they are.

    Returns:
        (1, P + h * w, C); the given tensor where the grid is its own.

    Raises:
        DataError: if the shape is another one.

    >>> resize_clip_pos_embed(torch.zeros(1, 50, 8), (3, 5)).shape
    torch.Size([1, 16, 8])
    """
    side = pos_grid_side(pos_embed, prefix=prefix)
    if grid == (side, side):
        return pos_embed
    image = _as_image(pos_embed[:, prefix:], side)
    image = F.interpolate(image, size=grid, mode="bicubic", align_corners=False)
    return _with_prefix(pos_embed, image, prefix)


def resize_dinov2_pos_embed(pos_embed: Tensor, grid: Grid, *, prefix: int = 0) -> Tensor:
    """Resize DINOv2's position embeddings as DETRIS does: bicubic by (g + 0.1) / s.

    Args:
        pos_embed: (1, P + s * s, C).
        grid: rows and columns (h, w) of patches.
        prefix: P, rows in front, which stay as they are. DINOv2's released embeddings have one,
            those of timm's tower with registers none.

    Returns:
        (1, P + h * w, C); the given tensor where the grid is its own.

    Raises:
        DataError: if the shape is another one.

    >>> resize_dinov2_pos_embed(torch.zeros(1, 37 * 37, 8), (32, 24)).shape
    torch.Size([1, 768, 8])
    """
    side = pos_grid_side(pos_embed, prefix=prefix)
    if grid == (side, side):
        return pos_embed
    image = _as_image(pos_embed[:, prefix:], side)
    scale = ((grid[0] + DINOV2_OFFSET) / side, (grid[1] + DINOV2_OFFSET) / side)
    image = F.interpolate(
        image, scale_factor=scale, mode="bicubic", align_corners=False, antialias=False
    )
    if image.shape[-2:] != grid:  # the library rounds sizes down; the offset keeps it from 1 less
        raise RuntimeError(f"expected a grid of {grid}, got {tuple(image.shape[-2:])}")
    return _with_prefix(pos_embed, image, prefix)


def _as_image(rows: Tensor, side: int) -> Tensor:
    # In float32 whatever the pos_embed's precision: a rounded position is a wrong position.
    return rearrange(rows.float(), "batch (row column) c -> batch c row column", row=side)


def _with_prefix(pos_embed: Tensor, image: Tensor, prefix: int) -> Tensor:
    rows = rearrange(image, "batch c row column -> batch (row column) c").to(pos_embed.dtype)
    return torch.cat([pos_embed[:, :prefix], rows], dim=1)


class CachedPosEmbed:
    """Resizes frozen position embeddings once per grid, not at every step.

    Tuned ones are resized each time, since they change and need their gradient. Frozen ones are
    cached until they are changed, moved or replaced. The cache is not part of a module's state:
    it is neither saved nor copied.

    Args:
        rule: `resize_clip_pos_embed` or `resize_dinov2_pos_embed`.
        prefix: P, rows in front of the patches.
        limit: number of grids to cache; beyond it the cache is emptied.

    >>> resize = CachedPosEmbed(resize_clip_pos_embed, prefix=1)
    >>> pos_embed = torch.rand(1, 10, 4)
    >>> resize(pos_embed, (2, 2)) is resize(pos_embed, (2, 2))
    True
    """

    def __init__(self, rule: Callable[..., Tensor], *, prefix: int, limit: int = 8) -> None:
        self.rule = rule
        self.prefix = prefix
        self.limit = limit
        self._source: Tensor | None = None
        self._version = -1
        self._resized: dict[Grid, Tensor] = {}

    def __call__(self, pos_embed: Tensor, grid: Grid) -> Tensor:
        """Resize, or take the result from the cache.

        Args:
            pos_embed: the parameter itself (a view would hide that it is tuned),
                (1, P + s * s, C) or, as CLIP's attention pool has it, (P + s * s, C).
            grid: rows and columns (h, w) of patches.

        Returns:
            (1, P + h * w, C).
        """
        if pos_embed.requires_grad or pos_embed.is_inference() or torch.compiler.is_compiling():
            return self._resize(pos_embed, grid)
        if not self._is_cached(pos_embed):
            # The alias keeps the memory from being reused, so that an equal address means the
            # same tensor; writing to it in place raises its version.
            self._source, self._version = pos_embed.detach(), pos_embed._version
            self._resized = {}
        if grid not in self._resized:
            if len(self._resized) >= self.limit:
                self._resized = {}
            # Cached values must serve later training steps, wherever they were computed.
            with torch.inference_mode(False), torch.no_grad():
                self._resized[grid] = self._resize(pos_embed.detach(), grid)
        return self._resized[grid]

    def _resize(self, pos_embed: Tensor, grid: Grid) -> Tensor:
        rows = pos_embed if pos_embed.ndim == 3 else pos_embed.unsqueeze(0)
        return self.rule(rows, grid, prefix=self.prefix)

    def _is_cached(self, pos_embed: Tensor) -> bool:
        cached = self._source
        return (
            cached is not None
            and cached.data_ptr() == pos_embed.data_ptr()
            and cached.device == pos_embed.device
            and cached.dtype == pos_embed.dtype
            and cached.shape == pos_embed.shape
            and self._version == pos_embed._version
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """What is copied and pickled: the rule, without the cache."""
        return partial(CachedPosEmbed, self.rule, prefix=self.prefix, limit=self.limit), ()
