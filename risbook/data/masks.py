"""COCO segmentations to masks and back.

A segmentation is one of three things: a list of polygon rings, a compressed run-length record
(``counts`` is text) or an uncompressed one (``counts`` is a list of numbers). Several rings mean
one object in several pieces, so their *union* is the mask. The original REFER code sums them and
gives 2 where rings overlap.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from risbook.data.checks import show
from risbook.errors import DataError

BoolMask = npt.NDArray[np.bool_]

#: How a loss takes its target from a mask, see `risbook.systems.losses.resize_target`. It stands
#: here because configurations name it, and they are read without torch.
TargetSampling = Literal["nearest", "corners"]

#: Run lengths are 32 bit numbers in COCO's code; a larger canvas cannot be meant.
MAX_PIXELS = 2**30


def decode_mask(segmentation: Any, height: int, width: int) -> BoolMask:
    """Turn a COCO segmentation into a mask.

    Args:
        segmentation: list of polygon rings [x, y, x, y, ...] in pixels, or a dictionary with
            ``size`` [height, width] and ``counts`` (text, bytes or a list of run lengths).
        height: height of the image in pixels.
        width: width of the image in pixels.

    Returns:
        Mask, (height, width), True on the object.

    Raises:
        DataError: the segmentation is malformed or made for another image size.

    >>> decode_mask({"size": [2, 2], "counts": [1, 2, 1]}, 2, 2).astype(int).tolist()
    [[0, 1], [1, 0]]
    """
    for name, value in (("height", height), ("width", width)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value <= 0:
            raise DataError(f"mask {name} must be a positive int, got {show(value)}")
    if int(height) * int(width) > MAX_PIXELS:
        raise DataError(f"a mask of {height} x {width} pixels is larger than COCO can encode")
    if isinstance(segmentation, Mapping):
        return _decode_runs(segmentation, int(height), int(width))
    if isinstance(segmentation, list | tuple):
        return _decode_rings(segmentation, int(height), int(width))
    raise DataError(
        "segmentation must be a list of polygon rings or a run-length record (dictionary with "
        f"'size' and 'counts'), got {show(segmentation)}"
    )


def encode_mask(mask: npt.NDArray[Any]) -> dict[str, Any]:
    """Turn a mask (height, width) into a compressed COCO run-length record that JSON can hold.

    Everything that is not 0 is the object.

    Raises:
        DataError: the mask has not two axes or no pixel.

    >>> encode_mask(np.array([[0, 1], [1, 0]]))
    {'size': [2, 2], 'counts': '121'}
    """
    runs = _encode(mask)
    return {"size": [int(side) for side in runs["size"]], "counts": runs["counts"].decode("ascii")}


def mask_area(mask: npt.NDArray[Any]) -> int:
    """Count the pixels of a mask (height, width) that are not 0; errors as `encode_mask`."""
    return int(coco_mask.area(_encode(mask)))


def mask_box(mask: npt.NDArray[Any]) -> tuple[int, int, int, int]:
    """Find the smallest box (x, y, width, height) in pixels around the object.

    An empty mask has the box (0, 0, 0, 0), as in COCO's code. Errors are those of `encode_mask`.

    >>> mask_box(np.array([[0, 0, 0], [0, 1, 1]]))
    (1, 1, 2, 1)
    """
    x, y, width, height = coco_mask.toBbox(_encode(mask)).astype(int).tolist()
    return x, y, width, height


def _encode(mask: npt.NDArray[Any]) -> Any:
    """A mask as the run-length record of pycocotools."""
    mask = np.asarray(mask)
    if mask.ndim != 2 or not mask.size:
        raise DataError(f"a mask has two axes (height, width), got shape {mask.shape}")
    return coco_mask.encode(np.asfortranarray(mask != 0, dtype=np.uint8))


def _decode_rings(rings: list[Any] | tuple[Any, ...], height: int, width: int) -> BoolMask:
    if not rings:
        raise DataError("segmentation is an empty list: there is no polygon ring")
    if all(isinstance(value, int | float) for value in rings):
        raise DataError(
            "segmentation is a flat list of numbers; put each polygon ring into a list of its own"
        )
    checked = [_checked_ring(ring, index, height, width) for index, ring in enumerate(rings)]
    union = coco_mask.merge(coco_mask.frPyObjects(checked, height, width))
    return _decode_runs(union, height, width)


def _checked_ring(ring: Any, index: int, height: int, width: int) -> list[float]:
    where = f"segmentation ring {index}"
    if not isinstance(ring, list | tuple | np.ndarray):
        raise DataError(f"{where} must be a list of numbers, got {show(ring)}")
    try:
        points = np.asarray(ring)
    except ValueError:  # lists of unequal length inside
        points = np.empty(0, dtype=object)
    if points.size and (points.ndim != 1 or points.dtype.kind not in "iuf"):
        raise DataError(f"{where} must be a flat list of numbers, got {show(ring)}")
    if points.size % 2:
        raise DataError(f"{where} has {points.size} numbers; x, y pairs need an even count")
    # COCO's code would silently read a list of four numbers as a box.
    if points.size < 6:
        raise DataError(f"{where} has {points.size} numbers; a polygon needs at least 6")
    if not np.isfinite(points).all():
        raise DataError(f"{where} holds a coordinate that is not a finite number")
    # The C code behind allocates in proportion to the length of the outline.
    reach = max(height, width)
    if points.min() < -reach or points.max() > 2 * reach:
        raise DataError(
            f"{where} reaches from {points.min():g} to {points.max():g}, far outside an image of "
            f"{height} x {width} pixels (height x width)"
        )
    numbers: list[float] = points.astype(np.float64).tolist()
    return numbers


def _decode_runs(record: Mapping[str, Any], height: int, width: int) -> BoolMask:
    size, counts = record.get("size"), record.get("counts")
    if not isinstance(size, list | tuple) or len(size) != 2:
        raise DataError(
            f"run-length record needs 'size' as a list [height, width], got {show(size)}"
        )
    if list(size) != [height, width]:
        raise DataError(
            f"run-length record is made for size {show(list(size))} (height, width), "
            f"but the image has [{height}, {width}]"
        )
    if isinstance(counts, str | bytes):
        runs = _runs_of_text(counts)
    elif isinstance(counts, list | tuple):
        if not all(type(run) is int for run in counts):
            raise DataError("run-length record: 'counts' must hold whole numbers only")
        runs = list(counts)
    else:
        raise DataError(
            "run-length record needs 'counts' as text, bytes or a list of whole numbers, "
            f"got {show(counts)}"
        )
    if any(run < 0 for run in runs):
        raise DataError("run-length record: 'counts' holds a negative run")
    if sum(runs) != height * width:
        raise DataError(
            f"run-length record: the runs add up to {sum(runs)} pixels instead of "
            f"{height} * {width} = {height * width}"
        )
    # Runs alternate between background and object and walk down the columns.
    is_object = np.arange(len(runs)) % 2 == 1
    return np.ascontiguousarray(np.repeat(is_object, runs).reshape(width, height).T)


def _runs_of_text(counts: str | bytes) -> list[int]:
    """Read COCO's compressed run lengths (``rleFrString`` in pycocotools' maskApi.c).

    Done here because the C code trusts its input: a text that ends within a number or whose runs
    do not fill the image makes it read and write outside its memory.
    """
    try:
        codes = counts if isinstance(counts, bytes) else counts.encode("ascii")
    except UnicodeEncodeError:
        raise DataError("run-length record: 'counts' holds a character outside ASCII") from None
    runs: list[int] = []
    value = shift = 0
    for position, code in enumerate(codes):
        digit = code - 48
        if not 0 <= digit < 64:
            raise DataError(
                f"run-length record: 'counts' holds {chr(code)!r} at position {position}, "
                "which the compressed form never uses"
            )
        value |= (digit & 0x1F) << shift
        shift += 5
        if shift > 35:  # seven digits of five bits hold any 32 bit run
            raise DataError(f"run-length record: 'counts' holds a number too long at {position}")
        if digit & 0x20:  # more digits of this number follow
            continue
        if digit & 0x10:  # sign bit of the last digit
            value -= 1 << shift
        # From the fourth run on (m > 2) the text stores the difference to the run before last.
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    if shift:
        raise DataError("run-length record: 'counts' ends in the middle of a number")
    return runs
