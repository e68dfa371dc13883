"""Learning rate by step."""

import math


def warmup_cosine_lr(step: int, *, peak: float, steps: int, warmup: int) -> float:
    """Linear warm-up to `peak`, then half a cosine down to zero.

    Args:
        step: steps already taken, 0 for the first.
        peak: the largest value.
        steps: steps of the whole run.
        warmup: steps of the warm-up.

    >>> [round(warmup_cosine_lr(s, peak=1.0, steps=10, warmup=2), 2) for s in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.04]
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * done))


def milestone_lr(
    step: int, *, peak: float, steps: int, epoch_steps: int, multiplier: float = 1.0
) -> float:
    """The released schedule of ETRIS: constant from the first step on, at last a tenth of it.

    The released code lowers the rate between two epochs, after 35 of 50. Here it falls at the end
    of the epoch that lies nearest to 70 % of the run, and never before the first has ended: a run
    of one epoch, or of less, keeps its rate.

    The released code can give the Bridgers a rate of their own, `multiplier` times the others', but
    in such a way that it takes effect only from the second epoch on; so it does here. All its
    configurations have 1, though the paper speaks of 10 for the transformer.

    Args:
        step: steps already taken, 0 for the first.
        peak: the rate before it falls.
        steps: steps of the whole run.
        epoch_steps: steps of one epoch.
        multiplier: 1 for all but the Bridgers.

    >>> [milestone_lr(s, peak=1e-4, steps=500, epoch_steps=10) for s in (0, 349, 350, 499)]
    [0.0001, 0.0001, 1e-05, 1e-05]
    """
    # In whole numbers, since 0.7 is none that a float can hold; + 5 rounds to the nearest.
    milestone = max(1, (7 * steps + 5 * epoch_steps) // (10 * epoch_steps))
    epoch = step // epoch_steps
    own = peak * (multiplier if epoch else 1.0)
    return own if epoch < milestone else own / 10
