"""The difference of two models on the same expressions, with an interval.

Two models see the same expressions, so their scores are compared expression by expression: what
makes an expression hard for both leaves the difference. The interval is a bootstrap (Efron and
Tibshirani, 1993, "An introduction to the bootstrap", chapters 8 and 13). Expressions of one image
are not independent, and runs with other seeds give other models, so images and seeds are drawn
with replacement, and all expressions of a drawn image come along.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from risbook.errors import ArgumentError

#: how often images and seeds are drawn
NUM_RESAMPLES = 4000


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Mean difference of two models, with an interval, by default of 95 %.

    Args:
        mean: of the first model's scores minus the second's.
        low: the 2.5th percentile of the resampled means.
        high: the 97.5th percentile.
        num_expressions: expressions compared.
        num_images: images that they belong to.
    """

    mean: float
    low: float
    high: float
    num_expressions: int
    num_images: int

    @property
    def half_width(self) -> float:
        """Half of the interval's width: a smaller measured difference cannot be told from none.

        It is no power: of studies with a true difference of this size, only about half decide it.
        """
        return (self.high - self.low) / 2

    @property
    def is_decided(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def paired_difference(
    scores: npt.ArrayLike,
    other_scores: npt.ArrayLike,
    image_ids: Sequence[int],
    *,
    num_resamples: int = NUM_RESAMPLES,
    confidence: float = 0.95,
) -> PairedDifference:
    """Compare two models by their scores of the same expressions.

    Args:
        scores: of the first model, a row per seed: (R, N), or (N,) for a single run.
        other_scores: of the second model, (R', N) or (N,), the same expressions in the same order.
        image_ids: the image of each expression, N ids.
        num_resamples: how often images and seeds are drawn.
        confidence: of the interval; more than 0.95 where several comparisons belong together.

    Raises:
        ArgumentError: the numbers of expressions differ, or there is none.

    >>> difference = paired_difference([0.8, 0.6, 0.9], [0.5, 0.4, 0.6], image_ids=[1, 1, 2])
    >>> round(difference.mean, 3), difference.is_decided
    (0.267, True)
    """
    first, second = (
        np.atleast_2d(np.asarray(part, dtype=float)) for part in (scores, other_scores)
    )
    count = len(image_ids)
    if not count or first.shape[1] != count or second.shape[1] != count:
        raise ArgumentError(
            f"{first.shape[1]} and {second.shape[1]} scores for {count} expressions: compare two "
            "models on the same expressions"
        )
    _, image_index = np.unique(np.asarray(image_ids), return_inverse=True)
    expressions_per_image = np.bincount(image_index)
    # Sums per image: a resample is then a weighted sum over images and seeds.
    first_sums, second_sums = (
        _sums_per_image(first, image_index),
        _sums_per_image(second, image_index),
    )
    rng = np.random.default_rng(0)
    num_images = len(expressions_per_image)
    image_counts = rng.multinomial(num_images, np.full(num_images, 1 / num_images), num_resamples)
    first_means = _resampled_means(first_sums, image_counts, rng)
    second_means = _resampled_means(second_sums, image_counts, rng)
    means = (first_means - second_means) / (image_counts @ expressions_per_image)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    mean = first.mean() - second.mean()
    return PairedDifference(float(mean), float(low), float(high), count, num_images)


def mean_with_interval(
    scores: npt.ArrayLike, image_ids: Sequence[int], *, num_resamples: int = NUM_RESAMPLES
) -> PairedDifference:
    """The mean of one model's scores with its interval, as the difference from 0.

    Arguments and errors as in `paired_difference`. Two such intervals that overlap do not say that
    two models are equal: for that, compare them expression by expression.
    """
    zeros = np.zeros(len(image_ids))
    return paired_difference(scores, zeros, image_ids, num_resamples=num_resamples)


def _sums_per_image(
    runs: npt.NDArray[np.float64], image_index: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Sums of the scores (R, N) over the expressions of each image, (R, images)."""
    sums = np.zeros((len(runs), int(image_index.max()) + 1))
    for run, run_sums in zip(runs, sums, strict=True):
        np.add.at(run_sums, image_index, run)
    return sums


def _resampled_means(
    sums: npt.NDArray[np.float64], image_counts: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Sum over resampled images, mean over resampled runs: (num_resamples,).

    Args:
        sums: of a run's scores per image, (R, images).
        image_counts: how often each image was drawn, (num_resamples, images).
        rng: draws the runs.
    """
    num_runs = len(sums)
    run_counts = rng.multinomial(num_runs, np.full(num_runs, 1 / num_runs), len(image_counts))
    per_run = image_counts @ sums.T  # (num_resamples, R)
    means: npt.NDArray[np.float64] = (per_run * run_counts).sum(axis=1) / num_runs
    return means
