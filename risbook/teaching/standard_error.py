"""The standard error of a mean over expressions, several of which share an image."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def mean_and_error(values: ArrayLike, image_ids: Sequence[int]) -> tuple[float, float]:
    """Compute a mean over expressions, and its standard error with the image as the unit.

    The expressions of one image are not independent. So the deviations from the mean are
    summed per image before they are squared.

    Args:
        values: one value per expression, (N,).
        image_ids: the image of each expression, N ids.

    Raises:
        ValueError: there is no value, or not one id per value.

    >>> mean, error = mean_and_error([1, 1, 0, 0], image_ids=[7, 7, 8, 8])
    >>> print(f"{mean:.2f} ± {error:.2f}")
    0.50 ± 0.35
    """
    numbers = np.asarray(values, dtype=float)  # (N,)
    if not len(numbers) or len(numbers) != len(image_ids):
        raise ValueError(f"mean_and_error: {len(numbers)} values and {len(image_ids)} image ids.")
    mean = numbers.mean()
    _, image_index = np.unique(image_ids, return_inverse=True)
    deviation_per_image = np.bincount(image_index, weights=numbers - mean)  # (images,)
    return float(mean), float(np.sqrt(np.sum(deviation_per_image**2)) / len(numbers))
