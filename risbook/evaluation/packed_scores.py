"""Scores of single expressions in a result file, as one short text.

A study compares models expression by expression, so its results keep every IoU: as base64 of
16-bit numbers, 2.7 characters per expression in place of 20.
"""

import base64
from collections.abc import Sequence

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
