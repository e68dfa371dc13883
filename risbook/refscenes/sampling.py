"""Random choices for scenes and backgrounds."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

_T = TypeVar("_T")


class UniformSampler:
    """Uniform random numbers from a block sampled once; a call costs less than a generator's.

    The block has `size` numbers, and repeats.
    """

    def __init__(self, rng: np.random.Generator, size: int = 1024) -> None:
        self._values: list[float] = rng.random(size).tolist()
        self._next = -1

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """A number in [low, high)."""
        self._next = (self._next + 1) % len(self._values)
        return low + (high - low) * self._values[self._next]

    def choose(self, options: Sequence[_T]) -> _T:
        """One of the options."""
        return options[int(self.uniform(0, len(options)))]

    def bernoulli(self, probability: float) -> bool:
        """True with that probability."""
        return self.uniform() < probability
