"""Learning rate by step."""

import math


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
