"""Masks in cells: the best mask that a model with a coarse grid can be expected to predict."""

import numpy as np
from numpy.typing import NDArray


def coarsen(mask: NDArray[np.bool_], cell: int) -> NDArray[np.bool_]:
    """Redraw a mask in square cells: 1 where more than half of a cell is covered.

    Cells that lie partly outside of the image are counted in full, with zeros outside.

    Args:
        mask: one mask, (H, W).
        cell: side of a cell in pixels.

    Returns:
        The mask in cells, (H, W).

    >>> coarsen(np.array([[1, 1, 0, 0], [1, 0, 0, 1]], dtype=bool), 2).astype(int)
    array([[1, 1, 0, 0],
           [1, 1, 0, 0]])
    """
    height, width = mask.shape
    padded = np.pad(mask, ((0, -height % cell), (0, -width % cell)))
    rows, columns = padded.shape[0] // cell, padded.shape[1] // cell
    covered = padded.reshape(rows, cell, columns, cell).mean(axis=(1, 3))  # (rows, columns)
    redrawn = np.repeat(np.repeat(covered > 0.5, cell, axis=0), cell, axis=1)
    return redrawn[:height, :width]
