"""Learning rate by step."""

import math
from collections.abc import Sequence


def learning_rate(step: int, *, peak: float, steps: int, warmup: int) -> float:
    """Linear warm-up to `peak`, then half a cosine down to zero.

    Args:
        step: steps already taken, 0 for the first.
        peak: the largest value.
        steps: steps of the whole run.
        warmup: steps of the warm-up.

    >>> [round(learning_rate(s, peak=1.0, steps=10, warmup=2), 2) for s in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.04]
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * done))


def milestone_rate(
    epoch: int,
    *,
    peak: float = 1e-4,
    milestones: Sequence[int] = (35,),
    factor: float = 0.1,
    multiplier: float = 1.0,
) -> float:
    """The released schedule of ETRIS: constant, and `factor` of it after each milestone.

    The released code gives the Bridgers a rate of their own, `multiplier` times the others', but
    in such a way that it takes effect only from the second epoch on; so it does here. All its
    configurations have 1, though the paper speaks of 10 for the transformer.

    Args:
        epoch: epochs already done, 0 for the first.
        peak: the rate of everything but the Bridgers.
        milestones: after how many epochs the rate falls.
        factor: what it is multiplied with.
        multiplier: 1 for all but the Bridgers.

    >>> [milestone_rate(epoch, multiplier=10) for epoch in (0, 1, 34, 35)]
    [0.0001, 0.001, 0.001, 0.0001]
    """
    fallen = factor ** sum(epoch >= milestone for milestone in milestones)
    return peak * (multiplier if epoch else 1.0) * fallen
