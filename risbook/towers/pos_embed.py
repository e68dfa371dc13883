"""Position tables on other grids: how a tower reads images of another size than it was trained on.

A pretrained tower owns one learned vector for each square of its training grid (7x7, 14x14 or
37x37). Another image size means another grid, so the table is stretched like a small image.
The systems of this book do it by two rules that differ by a hair, and both are kept:

- CLIP towers in ETRIS (Xu et al., 2023, released code): bicubic to the size of the grid.
- DINOv2 towers in DETRIS (released code, after DINOv2's own, Oquab et al., 2024): bicubic by a
  *scale factor* (g + 0.1) / s for a grid of g and a table of s squares. The sampling step becomes
  s / (g + 0.1) instead of s / g; the 0.1 guarded the library's rounding and became part of the
  trained behaviour.

Tables have the shape (1, P + s * s, C), as timm keeps them: first P prefix rows (the class
token's, if the table has one), then the squares row by row.
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

#: the constant that DINOv2's code adds to the grid before it divides by the table's side
DINOV2_OFFSET = 0.1


def table_side(table: Tensor, *, prefix: int) -> int:
    """Squares along one side of the grid that a table was trained on.

    Args:
        table: position table (1, P + s * s, C).
        prefix: number P of rows in front that belong to no square.

    Returns:
        The side s.

    Raises:
        DataError: if the table has another shape, or its squares form no square grid.

    >>> table_side(torch.zeros(1, 50, 8), prefix=1)
    7
    """
    squares = table.shape[1] - prefix if table.ndim == 3 and table.shape[0] == 1 else 0
    side = isqrt(max(squares, 0))
    if side == 0 or side * side != squares:
        raise DataError(
            f"position table of shape {tuple(table.shape)}: expected (1, {prefix} + s * s, C), "
            "a square grid of s x s rows; check the tower's table size and its prefix rows"
        )
    return side


def resize_clip_pos_embed(table: Tensor, grid: Grid, *, prefix: int = 1) -> Tensor:
    """Bring a CLIP table to another grid as ETRIS does: bicubic, corners not aligned.

    Args:
        table: position table (1, P + s * s, C).
        grid: wanted rows and columns (h, w) of squares.
        prefix: number P of rows in front; they are kept as they are.

    Returns:
        Table (1, P + h * w, C); the given one where the grid is its own.

    Raises:
        DataError: if the table is not of the shape above.

    >>> resize_clip_pos_embed(torch.zeros(1, 50, 8), (3, 5)).shape
    torch.Size([1, 16, 8])
    """
    side = table_side(table, prefix=prefix)
    if grid == (side, side):
        return table
    image = _as_image(table[:, prefix:], side)
    image = F.interpolate(image, size=grid, mode="bicubic", align_corners=False)
    return _with_prefix(table, image, prefix)


def resize_dinov2_pos_embed(table: Tensor, grid: Grid, *, prefix: int = 0) -> Tensor:
    """Bring a DINOv2 table to another grid as DETRIS does: bicubic by (g + 0.1) / s.

    Args:
        table: position table (1, P + s * s, C).
        grid: wanted rows and columns (h, w) of squares.
        prefix: number P of rows in front; they are kept as they are. DINOv2's released table has
            one, timm's form of the tower with registers has none.

    Returns:
        Table (1, P + h * w, C); the given one where the grid is its own.

    Raises:
        DataError: if the table is not of the shape above.

    >>> resize_dinov2_pos_embed(torch.zeros(1, 37 * 37, 8), (32, 24)).shape
    torch.Size([1, 768, 8])
    """
    side = table_side(table, prefix=prefix)
    if grid == (side, side):
        return table
    image = _as_image(table[:, prefix:], side)
    scale = ((grid[0] + DINOV2_OFFSET) / side, (grid[1] + DINOV2_OFFSET) / side)
    image = F.interpolate(
        image, scale_factor=scale, mode="bicubic", align_corners=False, antialias=False
    )
    if image.shape[-2:] != grid:  # the library rounds sizes down; the offset keeps it from 1 less
        raise RuntimeError(f"wanted a grid of {grid}, got {tuple(image.shape[-2:])}")
    return _with_prefix(table, image, prefix)


def _as_image(rows: Tensor, side: int) -> Tensor:
    # In float32 whatever the table's precision: a rounded position is a wrong position.
    return rearrange(rows.float(), "one (row column) c -> one c row column", row=side)


def _with_prefix(table: Tensor, image: Tensor, prefix: int) -> Tensor:
    rows = rearrange(image, "one c row column -> one (row column) c").to(table.dtype)
    return torch.cat([table[:, :prefix], rows], dim=1)


class CachedPosEmbed:
    """A rule from above that resizes a frozen table once for each grid, not at every step.

    A trained table is resized anew each time, since it changes and needs its gradient. A frozen
    one is remembered until it is written to, moved or replaced. The memory is no part of a
    module's state: it is neither saved nor copied.

    Args:
        rule: `resize_clip_pos_embed` or `resize_dinov2_pos_embed`.
        prefix: number of rows in front of the table's squares.
        limit: number of grids to remember; beyond it everything is forgotten.

    >>> remembered = CachedPosEmbed(resize_clip_pos_embed, prefix=1)
    >>> table = torch.rand(1, 10, 4)
    >>> remembered(table, (2, 2)) is remembered(table, (2, 2))
    True
    """

    def __init__(self, rule: Callable[..., Tensor], *, prefix: int, limit: int = 8) -> None:
        self.rule = rule
        self.prefix = prefix
        self.limit = limit
        self._table: Tensor | None = None
        self._version = -1
        self._resized: dict[Grid, Tensor] = {}

    def __call__(self, table: Tensor, grid: Grid) -> Tensor:
        """Resize a table, or remember that it was done.

        Args:
            table: the parameter itself (not a view of it, which would hide that it is trained),
                (1, P + s * s, C) or, as CLIP's attention pool has it, (P + s * s, C).
            grid: wanted rows and columns (h, w) of squares.

        Returns:
            Table (1, P + h * w, C).
        """
        if table.requires_grad or table.is_inference() or torch.compiler.is_compiling():
            return self._resize(table, grid)
        if not self._is_known(table):
            # The alias keeps the memory from being reused, so that an equal address means the
            # same table; writing to the table in place raises its version.
            self._table, self._version = table.detach(), table._version
            self._resized = {}
        if grid not in self._resized:
            if len(self._resized) >= self.limit:
                self._resized = {}
            # Remembered values must serve later training steps, wherever they were made.
            with torch.inference_mode(False), torch.no_grad():
                self._resized[grid] = self._resize(table.detach(), grid)
        return self._resized[grid]

    def _resize(self, table: Tensor, grid: Grid) -> Tensor:
        rows = table if table.ndim == 3 else table.unsqueeze(0)
        return self.rule(rows, grid, prefix=self.prefix)

    def _is_known(self, table: Tensor) -> bool:
        known = self._table
        return (
            known is not None
            and known.data_ptr() == table.data_ptr()
            and known.device == table.device
            and known.dtype == table.dtype
            and known.shape == table.shape
            and self._version == table._version
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """What is copied and pickled: the rule, without the memory."""
        return partial(CachedPosEmbed, self.rule, prefix=self.prefix, limit=self.limit), ()
