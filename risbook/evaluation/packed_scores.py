"""Scores of single expressions in a result file, as one short text.

A study compares models expression by expression, so its results keep every IoU: as base64 of
16-bit numbers, 2.7 characters per expression in place of 20. Pixel counts of 32 bits give every
metric anew, with 10.7 characters per expression.
"""

import base64
from collections.abc import Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt

from risbook.errors import DataError

#: 1.0 is this number; the rounding error is at most 0.00005
_ONE = 10_000


def pack_scores(scores: Sequence[float]) -> str:
    """Scores in [0, 1] as text.

    >>> pack_scores([0.0, 0.5, 1.0])
    'AACIExAn'
    """
    numbers = np.rint(_ONE * np.asarray(scores, dtype=float)).astype("<u2")
    return base64.b64encode(numbers.tobytes()).decode("ascii")


def unpack_scores(text: str) -> npt.NDArray[np.float64]:
    """The scores of a text, (N,).

    Raises:
        DataError: it is no such text.

    >>> unpack_scores("AACIExAn").tolist()
    [0.0, 0.5, 1.0]
    """
    try:
        numbers = np.frombuffer(base64.b64decode(text, validate=True), dtype="<u2")
    except ValueError as error:
        raise DataError(f"scores of a result file: {text[:20]!r} is damaged ({error})") from error
    if numbers.size and int(numbers.max()) > _ONE:
        raise DataError(f"scores of a result file: {text[:20]!r} holds a score above 1")
    return numbers / _ONE


def pack_counts(counts: npt.ArrayLike) -> str:
    """Pixels in intersection and union of each expression, (N, 2), as text.

    Raises:
        DataError: a count is no whole number from 0 to 4,294,967,295.

    >>> pack_counts([[3, 7]])
    'AwAAAAcAAAA='
    """
    numbers = np.asarray(counts)
    whole = numbers.astype("<u4")
    if (whole != numbers).any():
        raise DataError("pixel counts have to be whole numbers of at most 32 bits")
    return base64.b64encode(whole.tobytes()).decode("ascii")


def unpack_counts(text: str) -> npt.NDArray[np.int64]:
    """The pixel counts of a text, (N, 2).

    Raises:
        DataError: it is no such text.

    >>> unpack_counts("AwAAAAcAAAA=").tolist()
    [[3, 7]]
    """
    try:
        numbers = np.frombuffer(base64.b64decode(text, validate=True), dtype="<u4").reshape(-1, 2)
    except ValueError as error:
        raise DataError(f"counts of a result file: {text[:20]!r} is damaged ({error})") from error
    if (numbers[:, 0] > numbers[:, 1]).any():
        raise DataError(f"counts of a result file: {text[:20]!r} has a union below its part")
    return numbers.astype(np.int64)


def pack_image_ids(image_ids: Sequence[int]) -> str:
    """Which neighbouring expressions share an image, as the numbers of expressions per image.

    Args:
        image_ids: the image of each expression; those of one image stand together.

    Raises:
        DataError: they do not.

    >>> pack_image_ids([7, 7, 7, 4, 4])
    '3 2'
    """
    groups = [(image, len(list(group))) for image, group in groupby(image_ids)]
    if len({image for image, _ in groups}) < len(groups):
        raise DataError("expressions of one image do not stand together, so they cannot be packed")
    return " ".join(str(count) for _, count in groups)


def unpack_image_ids(text: str) -> list[int]:
    """The image of each expression, images counted from 0.

    Raises:
        DataError: it is no such text.

    >>> unpack_image_ids("3 2")
    [0, 0, 0, 1, 1]
    """
    try:
        counts = [int(word) for word in text.split()]
    except ValueError as error:
        raise DataError(f"images of a result file: {text[:20]!r} is damaged ({error})") from error
    return [image for image, count in enumerate(counts) for _ in range(count)]
