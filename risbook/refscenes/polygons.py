"""From a mask to a COCO segmentation that decodes to exactly the same mask.

COCO stores an object as polygon rings, one flat list ``[x0, y0, x1, y1, ...]`` per part, and as
run lengths where polygons will not do. Rings here run along the edges of the pixels, so their
corners are whole numbers. pycocotools' rasteriser (``rleFrPoly``) samples a polygon at pixel
centres, so such rings decode to the same pixels without any half-pixel offset.

Parts are connected through pixel sides: two pixels that meet in a corner only are two rings.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools import mask as mask_utils

#: A list of rings, or a run-length dict ``{"size": [height, width], "counts": str}``.
Segmentation = list[list[int]] | dict[str, Any]


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
    height, width = mask.shape
    padded = np.zeros((height + 2, width + 2), dtype=np.int8)
    padded[1:-1, 1:-1] = mask != 0
    # The four pixels around every grid point. A point is a corner of the outline unless its
    # pixels are all alike or differ along one straight edge only.
    nw, ne, sw, se = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    turns = (nw ^ ne ^ sw ^ se) | ((nw == se) & (ne == sw) & (nw != ne))
    ys, xs = np.nonzero(turns)
    if not len(xs):
        return []
    # Where two pixels touch in the corner only, two outlines turn at one point. It becomes two
    # points whose order along the row and along the column keeps the two parts apart.
    double = (nw == se)[ys, xs] & (ne == sw)[ys, xs]
    if double.any():
        falling = nw[ys, xs][double] == 1
        extra_x, extra_y = xs[double], ys[double]
        row_rank = np.concatenate([np.zeros(len(xs), np.int64), np.ones(len(extra_x), np.int64)])
        column_rank = row_rank.copy()
        column_rank[: len(xs)][double] = ~falling
        column_rank[len(xs) :] = falling
        xs, ys = np.concatenate([xs, extra_x]), np.concatenate([ys, extra_y])
    else:
        row_rank = column_rank = np.zeros(len(xs), np.int64)
    # Along a row the corners pair up into horizontal edges, along a column into vertical ones.
    span = 2 * (max(height, width) + 2)
    by_row = np.argsort(ys * span + 2 * xs + row_rank, kind="stable")
    by_column = np.argsort(xs * span + 2 * ys + column_rank, kind="stable")
    across = np.empty(len(xs), np.int64)
    across[by_row[0::2]], across[by_row[1::2]] = by_row[1::2], by_row[0::2]
    along = np.empty(len(xs), np.int64)
    along[by_column[0::2]], along[by_column[1::2]] = by_column[1::2], by_column[0::2]
    # A ring starts at its upper left corner: object below its first edge, or else it is a hole.
    is_outer = se[ys, xs].tolist()
    across_list, along_list = across.tolist(), along.tolist()
    x_list, y_list = (xs + left).tolist(), (ys + top).tolist()
    unvisited = [True] * len(x_list)
    outlines: list[list[int]] = []
    for start in by_row.tolist():
        if not unvisited[start]:
            continue
        if not is_outer[start]:
            return None
        ring: list[int] = []
        point = start
        while unvisited[point]:
            unvisited[point] = False
            ring += (x_list[point], y_list[point])
            point = across_list[point]
            unvisited[point] = False
            ring += (x_list[point], y_list[point])
            point = along_list[point]
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


def decode(segmentation: Segmentation, height: int, width: int) -> npt.NDArray[np.bool_]:
    """Turn a `Segmentation` back into a bool mask (H, W), as the COCO tools do."""
    if isinstance(segmentation, list):
        segmentation = mask_utils.merge(mask_utils.frPyObjects(segmentation, height, width))
    mask: npt.NDArray[np.bool_] = mask_utils.decode(segmentation).astype(bool)
    return mask
