"""Masks as COCO segmentations that decode to exactly the same masks.

COCO stores an object as polygon rings, one flat list ``[x0, y0, x1, y1, ...]`` per part, and as
run lengths where polygons will not do. Rings here run along the edges of the pixels, so their
corners are whole numbers. pycocotools' rasteriser (``rleFrPoly``) samples a polygon at pixel
centres, so such rings decode to the same pixels without any half-pixel offset.

Parts are connected through pixel sides: two pixels that meet in a corner only are two rings.
"""

from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools import mask as mask_utils

#: A list of rings, or a run-length dict ``{"size": [height, width], "counts": str}``.
Segmentation = list[list[int]] | dict[str, Any]

#: (x, y) of the directions right, down, left and up.
_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))


def rings(mask: npt.NDArray[Any], *, left: int = 0, top: int = 0) -> list[list[int]] | None:
    """Trace the outline of every part of a mask.

    Args:
        mask: (H, W), non-zero on the object.
        left: added to every x: where the mask begins if it was cut from a larger one.
        top: added to every y.

    Returns:
        One flat ``[x, y, ...]`` list of corner points per part, or None if a part has a hole.

    >>> rings(np.array([[0, 1, 1], [0, 1, 1]]))
    [[1, 0, 3, 0, 3, 2, 1, 2]]
    """
    padded = np.pad(mask != 0, 1)
    inside = padded[1:-1, 1:-1]
    neighbours = (padded[:-2, 1:-1], padded[1:-1, 2:], padded[2:, 1:-1], padded[1:-1, :-2])
    # Sides of pixels between object and background: start (x, y) and direction. An outline runs
    # clockwise, so that upper, right, lower and left sides point right, down, left and up.
    sides: set[tuple[int, int, int]] = set()
    for direction, (dx, dy) in enumerate(((0, 0), (1, 0), (1, 1), (0, 1))):
        ys, xs = np.nonzero(inside & ~neighbours[direction])
        sides.update(zip((xs + dx).tolist(), (ys + dy).tolist(), repeat(direction)))
    outlines: list[list[int]] = []
    for y0, x0 in np.argwhere(inside & ~neighbours[0]).tolist():
        x, y, direction, previous = x0, y0, 0, 3
        if (x, y, direction) not in sides:
            continue
        ring: list[int] = []
        while (x, y, direction) in sides:
            sides.remove((x, y, direction))
            if direction != previous:
                ring += (x + left, y + top)
            previous = direction
            x, y = x + _STEPS[direction][0], y + _STEPS[direction][1]
            # Where two pixels meet in a corner only, the right turn stays with the same pixel.
            for turn in (1, 0, 3):
                if (x, y, (direction + turn) % 4) in sides:
                    direction = (direction + turn) % 4
                    break
        # The first upper side of a part is its highest; that of a hole is its lower border.
        if min(ring[1::2]) < y0 + top:
            return None
        outlines.append(ring)
    return outlines


def segmentation(
    mask: npt.NDArray[Any], *, box: tuple[int, int, int, int] | None = None
) -> Segmentation:
    """Write a mask as COCO does: rings where they are exact, run lengths where it has holes.

    Args:
        mask: (H, W), non-zero on the object.
        box: (left, top, right, bottom) around the object, if known: saves time.

    >>> segmentation(np.eye(2))
    [[0, 0, 1, 0, 1, 1, 0, 1], [1, 1, 2, 1, 2, 2, 1, 2]]
    """
    left, top, right, bottom = box or (0, 0, mask.shape[1], mask.shape[0])
    outlines = rings(mask[top:bottom, left:right], left=left, top=top)
    if outlines:
        return outlines
    runs = mask_utils.encode(np.asfortranarray(mask != 0, dtype=np.uint8))
    return {"size": [int(n) for n in runs["size"]], "counts": runs["counts"].decode("ascii")}
