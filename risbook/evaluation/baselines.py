"""Answers that never read the sentence: the floor that every system has to rise above.

`everything` and `centre_box` look at nothing but the picture's size. `largest_object` is told the
annotated outlines of all objects and picks the largest: it shows how much of a set is solved by
perfect segmentation without a word of language.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from risbook.data.catalog import ReferData
from risbook.errors import DataError
from risbook.metrics import Scores, Summary

BoolMask = npt.NDArray[np.bool_]

#: (height, width) of the picture and (category, mask) of every annotated object in it -> answer.
Baseline = Callable[[tuple[int, int], Sequence[tuple[str, BoolMask]]], BoolMask]


def everything(shape: tuple[int, int], objects: Sequence[tuple[str, BoolMask]]) -> BoolMask:
    """Answer with the whole picture: its mIoU is about the mean share that an object covers."""
    return np.ones(shape, np.bool_)


def nothing(shape: tuple[int, int], objects: Sequence[tuple[str, BoolMask]]) -> BoolMask:
    """Answer with no pixel at all: scores 0, unless empty annotations score 1."""
    return np.zeros(shape, np.bool_)


def centre_box(shape: tuple[int, int], objects: Sequence[tuple[str, BoolMask]]) -> BoolMask:
    """Answer with the middle quarter of the picture: half its height, half its width."""
    height, width = shape
    mask = np.zeros(shape, np.bool_)
    top, left = height // 4, width // 4
    mask[top : top + (height + 1) // 2, left : left + (width + 1) // 2] = True
    return mask


def largest_object(shape: tuple[int, int], objects: Sequence[tuple[str, BoolMask]]) -> BoolMask:
    """Answer with the annotated object of most pixels; of equals the first, of none nothing."""
    if not objects:
        return nothing(shape, objects)
    return max((mask for _, mask in objects), key=np.count_nonzero)


#: All baselines by name.
BASELINES: Mapping[str, Baseline] = MappingProxyType(
    {
        "everything": everything,
        "nothing": nothing,
        "centre_box": centre_box,
        "largest_object": largest_object,
    }
)


def score_baseline(data: ReferData, split: str, baseline: str | Baseline) -> Summary:
    """Score a baseline on a split, at the pictures' own resolution.

    The annotations of the RefCOCO sets list all objects of a picture, described or not, and those
    are what a baseline is shown.

    Args:
        data: the set.
        split: one of ``data.expressions.splits``.
        baseline: a name of `BASELINES`, or a function of your own.

    Returns:
        The figures.

    Raises:
        DataError: there is no such baseline or split.
    """
    if isinstance(baseline, str):
        if baseline not in BASELINES:
            raise DataError(f"there is no baseline {baseline!r}; names are: {', '.join(BASELINES)}")
        baseline = BASELINES[baseline]
    scores = Scores()
    image_id, answer = None, np.zeros((0, 0), np.bool_)
    # Expressions of a picture one after the other: a baseline answers once a picture.
    for expression in sorted(data.expressions.split(split), key=lambda one: one.image_id):
        truth = data.mask(expression)
        if expression.image_id != image_id:
            image_id = expression.image_id
            shape = (expression.height, expression.width)
            answer = baseline(shape, data.objects(image_id))
        scores.add(expression.sent_id, answer, truth)
    return scores.summary()
