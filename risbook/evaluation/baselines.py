"""Baselines that do not read the expression: the floor for every system.

`everything` and `centre_box` use only the image's size. `largest_object` gets the annotated masks
of all objects and picks the largest: it shows how much of a set perfect segmentation solves
without a word of language.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from risbook.data.dataset import ReferData
from risbook.errors import DataError
from risbook.metrics import Scores, Summary

BoolMask = npt.NDArray[np.bool_]

#: (H, W) of the image and (category, mask) of every annotated object in it -> predicted mask.
Baseline = Callable[[tuple[int, int], Sequence[tuple[str, BoolMask]]], BoolMask]


def everything(shape: tuple[int, int], objects: Sequence[tuple[str, BoolMask]]) -> BoolMask:
    """The whole image: its mIoU is about the mean share of the image that an object covers."""
    return np.ones(shape, np.bool_)


def nothing(shape: tuple[int, int], objects: Sequence[tuple[str, BoolMask]]) -> BoolMask:
    """No pixel at all: scores 0, unless empty annotations score 1."""
    return np.zeros(shape, np.bool_)


def centre_box(shape: tuple[int, int], objects: Sequence[tuple[str, BoolMask]]) -> BoolMask:
    """The middle quarter of the image: half its height, half its width."""
    height, width = shape
    mask = np.zeros(shape, np.bool_)
    top, left = height // 4, width // 4
    mask[top : top + (height + 1) // 2, left : left + (width + 1) // 2] = True
    return mask


def largest_object(shape: tuple[int, int], objects: Sequence[tuple[str, BoolMask]]) -> BoolMask:
    """The annotated object of most pixels, the first of equal ones; nothing without objects."""
    if not objects:
        return nothing(shape, objects)
    return max((mask for _, mask in objects), key=np.count_nonzero)


BASELINES: Mapping[str, Baseline] = MappingProxyType(
    {
        "everything": everything,
        "nothing": nothing,
        "centre_box": centre_box,
        "largest_object": largest_object,
    }
)


def score_baseline(data: ReferData, split: str, baseline: str | Baseline) -> Summary:
    """Score a baseline on a split, at the images' own resolution.

    Args:
        data: the set. RefCOCO's annotations list all objects of an image, described or not, and
            those are what a baseline gets.
        split: one of `data.expressions.splits`.
        baseline: a name of `BASELINES`, or a function of your own.

    Raises:
        DataError: for an unknown baseline or split.
    """
    if isinstance(baseline, str):
        if baseline not in BASELINES:
            raise DataError(f"there is no baseline {baseline!r}; choose: {', '.join(BASELINES)}")
        baseline = BASELINES[baseline]
    scores = Scores()
    image_id, mask = None, np.zeros((0, 0), np.bool_)
    # Sorted by image, because a baseline predicts once per image.
    for expression in sorted(data.expressions.split(split), key=lambda row: row.image_id):
        truth = data.mask(expression)
        if expression.image_id != image_id:
            image_id = expression.image_id
            mask = baseline((expression.height, expression.width), data.objects(image_id))
        scores.add(expression.sent_id, mask, truth)
    return scores.summary()
