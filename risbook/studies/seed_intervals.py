"""Intervals from the scores of a few seeds, for runs that kept no score of single expressions.

The runs of a method are taken for draws from a normal distribution. With three seeds the interval
is wide, as Student's t says it must be.
"""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from scipy.special import stdtrit

from risbook.errors import ArgumentError


class Interval(NamedTuple):
    """A mean, or a difference of two means, and the ends of its interval."""

    mean: float
    low: float
    high: float


def mean_over_seeds(values: Sequence[float], *, confidence: float = 0.95) -> Interval:
    """The mean of the runs of a method.

    Args:
        values: a score per seed, at least two.
        confidence: of the interval.

    Raises:
        ArgumentError: there are fewer than two values.

    >>> [round(number, 2) for number in mean_over_seeds([30.0, 31.0, 32.0])]
    [31.0, 28.52, 33.48]
    """
    if len(values) < 2:
        raise ArgumentError("one value has no interval: give the scores of two seeds or more")
    error = math.sqrt(statistics.variance(values) / len(values))
    return _interval(statistics.fmean(values), error, len(values) - 1, confidence)


def difference_over_seeds(
    values: Sequence[float], other_values: Sequence[float], *, confidence: float = 0.95
) -> Interval:
    """The difference of the means of two methods, whose runs count as independent.

    Args:
        values: a score per seed of the first method, at least two.
        other_values: the same of the second method.
        confidence: of the interval.

    Raises:
        ArgumentError: a method has fewer than two values.
    """
    parts = (values, other_values)
    if min(map(len, parts)) < 2:
        raise ArgumentError("one value has no interval: give the scores of two seeds or more")
    error = math.sqrt(sum(statistics.variance(part) / len(part) for part in parts))
    mean = statistics.fmean(values) - statistics.fmean(other_values)
    return _interval(mean, error, sum(map(len, parts)) - 2, confidence)


def t_quantile(degrees: int, confidence: float) -> float:
    """The half width, in standard errors, of a two-sided interval by Student's t.

    >>> round(t_quantile(4, 0.95), 2), round(t_quantile(2, 0.95), 2)
    (2.78, 4.3)
    """
    return float(stdtrit(degrees, (1 + confidence) / 2))


def _interval(mean: float, error: float, degrees: int, confidence: float) -> Interval:
    margin = t_quantile(degrees, confidence) * error
    return Interval(mean, mean - margin, mean + margin)
