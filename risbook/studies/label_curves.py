"""Accuracy over the amount of labelled data, from the results of a label study.

A run's key is its method and its number of training images, for instance "etris-500". A result
file keeps the IoU of every expression and which expressions share an image, so two methods are
compared on the same expressions.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from risbook.errors import DataError
from risbook.evaluation.packed_scores import unpack_image_ids, unpack_scores
from risbook.evaluation.paired_difference import (
    PairedDifference,
    mean_with_interval,
    paired_difference,
)
from risbook.evaluation.result_files import read_result

#: seed, content and one row of a result file
_Member = tuple[int, dict[str, Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class LabelPoint:
    """All runs of one method on one amount of data, scored on one split.

    Args:
        method: how the model was trained.
        num_images: labelled training images.
        split: the split of the scores.
        seeds: of the runs, R.
        ious: IoU of each expression, (R, N).
        image_ids: the image of each expression, N ids.
        steps: optimiser steps of a run.
        seconds: mean time of a training.
    """

    method: str
    num_images: int
    split: str
    seeds: tuple[int, ...]
    ious: npt.NDArray[np.float64]
    image_ids: list[int]
    steps: int
    seconds: float

    def mean(self) -> PairedDifference:
        """The mIoU, with an interval over images and seeds."""
        return mean_with_interval(self.ious, self.image_ids)

    def minus(self, other: "LabelPoint", *, confidence: float = 0.95) -> PairedDifference:
        """The difference from another point of the same split, paired by expression."""
        return paired_difference(self.ious, other.ious, self.image_ids, confidence=confidence)


def read_label_points(folder: Path) -> list[LabelPoint]:
    """Read the result files of a label study, by method, amount of data and split.

    Args:
        folder: of the study's results.

    Raises:
        DataError: there is none, a key is of another study, or runs of one point do not have the
            same steps and expressions.
    """
    runs = defaultdict(list)
    for path in sorted(folder.glob("*.json")):
        about = read_result(path)
        method, _, amount = about["row"].rpartition("-")
        if not amount.isdigit() or not method:
            raise DataError(f"{path}: the run is called {about['row']!r}, not METHOD-IMAGES")
        for row in about["rows"]:
            runs[method, int(amount), row["split"]].append((about["seed"], about, row))
    if not runs:
        raise DataError(f"{folder}: there are no results of a label study here")
    return [
        _point(folder, *key, sorted(members, key=lambda member: member[0]))
        for key, members in sorted(runs.items())
    ]


def _point(
    folder: Path, method: str, num_images: int, split: str, members: Sequence[_Member]
) -> LabelPoint:
    steps = {about["settings"]["training"]["steps"] for _, about, _ in members}
    images = {row["images"] for _, _, row in members}
    if len(steps) > 1 or len(images) > 1:
        raise DataError(
            f"{folder}: the runs of {method}-{num_images} have different steps or expressions"
        )
    return LabelPoint(
        method=method,
        num_images=num_images,
        split=split,
        seeds=tuple(seed for seed, _, _ in members),
        ious=np.stack([unpack_scores(row["ious"]) for _, _, row in members]),
        image_ids=unpack_image_ids(images.pop()),
        steps=steps.pop(),
        seconds=float(np.mean([about["seconds"] for _, about, _ in members])),
    )
