"""A mask painted into an image, pixel for pixel, without matplotlib."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from risbook.errors import DataError
from risbook.figures.overlays import as_bytes, as_mask
from risbook.figures.palette import ROLES, rgba


def paint_mask(image: Any, mask: Any, *, alpha: float = 0.55, edge: int = 0) -> NDArray[np.uint8]:
    """Lay a translucent fill over the pixels of a mask; all others stay as they are.

    Args:
        image: PIL image, array or tensor (H, W, 3), uint8 in 0..255 or float in 0..1.
        mask: (H, W), true where the fill goes.
        alpha: opacity of the fill, 0 to 1.
        edge: width of a white edge inside the mask, pixels; it keeps the fill visible on an object
            of its own colour.

    Returns:
        (H, W, 3) uint8.

    Raises:
        DataError: the mask and the image differ in size.

    >>> paint_mask(np.zeros((1, 2, 3), np.uint8), [[True, False]], alpha=1.0)[0].tolist()
    [[86, 180, 233], [0, 0, 0]]
    """
    pixels = as_bytes(image)
    flags = as_mask(mask, (pixels.shape[0], pixels.shape[1]), "mask")
    if flags is None:
        raise DataError("paint_mask: the mask is None; pass an array (H, W).")
    painted = pixels.astype(np.float64)
    colour = np.array(rgba(ROLES["prediction"])[:3]) * 255
    painted[flags] = (1 - alpha) * painted[flags] + alpha * colour
    painted[flags & ~_shrink(flags, edge)] = 255
    return painted.round().astype(np.uint8)


def paint_outline(image: Any, mask: Any, *, width: int = 2) -> NDArray[np.uint8]:
    """Draw the outline of a ground-truth mask: bright, with a black line around it.

    Args:
        image: as in `paint_mask`.
        mask: (H, W), true inside the outline.
        width: of each of the two lines, pixels.

    Returns:
        (H, W, 3) uint8.

    Raises:
        DataError: the mask and the image differ in size.

    >>> square = np.pad(np.ones((4, 4), bool), 2)
    >>> painted = paint_outline(np.zeros((8, 8, 3), np.uint8), square, width=1)
    >>> int((painted.sum(axis=2) > 0).sum())
    12
    """
    pixels = as_bytes(image)
    flags = as_mask(mask, (pixels.shape[0], pixels.shape[1]), "mask")
    if flags is None:
        raise DataError("paint_outline: the mask is None; pass an array (H, W).")
    painted = pixels.copy()
    painted[~_shrink(~flags, width) & ~flags] = 0
    painted[flags & ~_shrink(flags, width)] = np.array(rgba(ROLES["truth"])[:3]) * 255
    return painted


def _shrink(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """Take so many layers of pixels off the border of a mask; the image's border is none."""
    for _ in range(pixels):
        padded = np.pad(mask, 1, constant_values=True)
        neighbours = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
        mask = np.logical_and.reduce([mask, *neighbours])
    return mask
