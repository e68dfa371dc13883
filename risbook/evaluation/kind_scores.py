"""Scores of kinds of expressions, with intervals, and what an interval decides.

A kind is a property of an expression or of its object, for instance "names a location". Its
expressions differ from the others in more than this property, so there are two comparisons:

- `score_kinds` compares the expressions of a kind with all others. The difference describes the
  split; it names no cause.
- `compare_within_objects` compares expressions of one kind and of another about the same object.
  Image, object and its size are then the same, and only the sentences differ.

Both intervals are a bootstrap over images (Efron and Tibshirani, 1993, "An introduction to the
bootstrap", chapter 13): all expressions of a drawn image come along, because they are not
independent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from risbook.errors import ArgumentError
from risbook.evaluation.paired_difference import NUM_RESAMPLES
from risbook.evaluation.recorded_counts import ious_of_counts

#: with fewer images, in a kind or outside of it, a bootstrap interval is too narrow
MIN_IMAGES = 20

#: An expression with at most this IoU is a failure; the others are counted by Pr@0.5.
FAILURE_IOU = 0.5

Verdict = Literal["higher", "lower", "undecided", "too few images"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval; without one (NaN) where there are too few images.

    Args:
        value: the estimate.
        low: lower end of the interval.
        high: upper end.
    """

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """What the interval says about the value against 0."""
        if np.isnan(self.low):
            return "too few images"
        if self.low > 0:
            return "higher"
        return "lower" if self.high < 0 else "undecided"


@dataclass(frozen=True, slots=True)
class KindScore:
    """The expressions of one kind.

    Args:
        kind: its name.
        count: expressions.
        images: images that they are about.
        miou: mean IoU, from 0 to 1, with its interval.
        oiou: overall IoU, from 0 to 1.
        failures: share of expressions with an IoU of at most `FAILURE_IOU`, with its interval.
        difference: mean IoU minus that of all other expressions, with its interval.
    """

    kind: str
    count: int
    images: int
    miou: Estimate
    oiou: float
    failures: Estimate
    difference: Estimate


def score_kinds(
    counts: npt.ArrayLike,
    image_ids: Sequence[int],
    kinds: Mapping[str, npt.ArrayLike],
    *,
    confidence: float = 0.95,
    num_resamples: int = NUM_RESAMPLES,
) -> list[KindScore]:
    """Score the expressions of each kind, and compare them with all others.

    Args:
        counts: pixels in intersection and union of each expression, (N, 2).
        image_ids: the image of each expression, N ids.
        kinds: name -> whether each expression is of that kind, bool (N,).
        confidence: of all differences together: each has the confidence 1 - (1 - confidence) / K
            of Bonferroni's correction for K kinds. The intervals of `miou` and `failures` have
            this confidence each.
        num_resamples: how often images are drawn.

    Raises:
        ArgumentError: the numbers of expressions differ.

    >>> counts = [[8, 10], [6, 10], [2, 10]]
    >>> [score] = score_kinds(counts, [1, 1, 2], {"location": [True, False, True]})
    >>> score.count, round(score.miou.value, 2), round(score.difference.value, 2)
    (2, 0.5, -0.1)
    >>> score.difference.verdict
    'too few images'
    """
    pixels = np.asarray(counts, np.int64).reshape(-1, 2)
    ious = ious_of_counts(pixels)
    draws = _Draws(image_ids, num_resamples)
    is_kind = {kind: _as_flags(kind, flags, len(pixels)) for kind, flags in kinds.items()}
    draws.check(len(pixels))
    joint = 1 - (1 - confidence) / max(1, len(is_kind))
    failed = (ious <= FAILURE_IOU).astype(float)
    scores = []
    for kind, inside in is_kind.items():
        images, images_outside = draws.count_images(inside), draws.count_images(~inside)
        inter, union = pixels[inside].sum(axis=0)
        inner_means = draws.means(ious, inside)
        differences = inner_means - draws.means(ious, ~inside)
        value = _mean(ious[inside]) - _mean(ious[~inside])
        scores.append(
            KindScore(
                kind=kind,
                count=int(inside.sum()),
                images=images,
                miou=_estimate(_mean(ious[inside]), inner_means, confidence, images),
                oiou=float(inter / union) if union else 0.0,
                failures=_estimate(
                    _mean(failed[inside]), draws.means(failed, inside), confidence, images
                ),
                difference=_estimate(value, differences, joint, min(images, images_outside)),
            )
        )
    return scores


def compare_within_objects(
    values: npt.ArrayLike,
    has_kind: npt.ArrayLike,
    object_ids: Sequence[int],
    image_ids: Sequence[int],
    *,
    confidence: float = 0.95,
    num_resamples: int = NUM_RESAMPLES,
) -> tuple[Estimate, int]:
    """Compare expressions with a property and without it about the same objects.

    Args:
        values: of each expression, for instance its IoU, (N,).
        has_kind: whether it has the property, bool (N,).
        object_ids: the object that it describes, N ids.
        image_ids: its image, N ids.
        confidence: of the interval.
        num_resamples: how often images are drawn.

    Returns:
        The mean over objects of (mean value with the property - mean value without it), with its
        interval, and the number of objects that have both kinds of expressions.

    Raises:
        ArgumentError: the numbers of expressions differ, or no object has both kinds.

    >>> estimate, num_objects = compare_within_objects(
    ...     [0.8, 0.6, 0.1], [True, False, True], object_ids=[5, 5, 6], image_ids=[1, 1, 2])
    >>> round(estimate.value, 2), num_objects
    (0.2, 1)
    """
    numbers = np.asarray(values, float)
    flags = _as_flags("has_kind", has_kind, len(numbers))
    if not len(numbers) == len(object_ids) == len(image_ids):
        raise ArgumentError(
            f"{len(numbers)} values, {len(object_ids)} objects and {len(image_ids)} images: there "
            "must be as many of each"
        )
    ids, index = np.unique(np.asarray(object_ids), return_inverse=True)
    image_of = np.zeros(len(ids), np.int64)
    image_of[index] = np.asarray(image_ids)
    number_with = np.bincount(index, flags, len(ids))
    number_without = np.bincount(index, ~flags, len(ids))
    both = (number_with > 0) & (number_without > 0)
    if not both.any():
        raise ArgumentError("no object has expressions with the property and without it")
    sum_with = np.bincount(index, numbers * flags, len(ids))
    sum_without = np.bincount(index, numbers * ~flags, len(ids))
    differences = sum_with[both] / number_with[both] - sum_without[both] / number_without[both]
    draws = _Draws(image_of[both].tolist(), num_resamples)
    everything = np.ones(len(differences), np.bool_)
    resampled = draws.means(differences, everything)
    images = draws.count_images(everything)
    return _estimate(_mean(differences), resampled, confidence, images), int(both.sum())


class _Draws:
    """Resamples of images: the same ones for every mean, so that differences are paired."""

    def __init__(self, image_ids: Sequence[int], num_resamples: int) -> None:
        _, self.index = np.unique(np.asarray(image_ids), return_inverse=True)
        self.num_images = int(self.index.max()) + 1 if len(self.index) else 0
        rng = np.random.default_rng(0)
        shares = np.full(self.num_images, 1 / max(1, self.num_images))
        # How often each image was drawn, (num_resamples, images)
        self.times = rng.multinomial(self.num_images, shares, num_resamples).astype(np.float64)

    def check(self, count: int) -> None:
        if not count or len(self.index) != count:
            raise ArgumentError(f"{len(self.index)} images for {count} expressions")

    def count_images(self, inside: npt.NDArray[np.bool_]) -> int:
        return len(np.unique(self.index[inside]))

    def means(
        self, values: npt.NDArray[np.float64], inside: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float64]:
        """Mean of some expressions in each resample, NaN where none was drawn."""
        sums = np.bincount(self.index, values * inside, self.num_images)
        numbers = np.bincount(self.index, inside, self.num_images)
        totals = self.times @ numbers
        means = np.full(len(totals), np.nan)
        np.divide(self.times @ sums, totals, out=means, where=totals > 0)
        return means


def _as_flags(name: str, flags: npt.ArrayLike, count: int) -> npt.NDArray[np.bool_]:
    array = np.asarray(flags)
    if array.shape != (count,) or array.dtype != np.bool_:
        raise ArgumentError(f"{name}: give one truth value for each of the {count} expressions")
    return array


def _mean(values: npt.NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _estimate(
    value: float, resampled: npt.NDArray[np.float64], confidence: float, images: int
) -> Estimate:
    if images < MIN_IMAGES:
        return Estimate(value, float("nan"), float("nan"))
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(resampled, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))
