"""Learning rate by step."""

import math

from risbook.training.training_config import TrainingConfig


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
    step: int, *, peak: float, steps: int, epoch_steps: int, lr_scale: float = 1.0
) -> float:
    """The released schedule of ETRIS: a constant learning rate, then a tenth of it.

    The released code lowers the learning rate after epoch 35 of 50. Here the drop comes at the end
    of the epoch nearest to 70 % of the run, and never before the end of the first epoch: a run of
    at most one epoch keeps its learning rate.

    The released code multiplies the learning rate of one group, the Bridgers, but the multiplier
    takes effect only from the second epoch on. This function does the same for any group. All
    released configurations have the multiplier 1; the paper reports 10 for the vision transformer.

    Args:
        step: steps already taken, 0 for the first.
        peak: learning rate before the drop.
        steps: steps of the whole run.
        epoch_steps: steps of one epoch.
        lr_scale: multiplier of the group.

    >>> [milestone_lr(s, peak=1e-4, steps=500, epoch_steps=10) for s in (0, 349, 350, 499)]
    [0.0001, 0.0001, 1e-05, 1e-05]
    """
    # 0.7 has no exact float value, so whole numbers are used; + 5 rounds to the nearest.
    milestone = max(1, (7 * steps + 5 * epoch_steps) // (10 * epoch_steps))
    epoch = step // epoch_steps
    lr = peak * (lr_scale if epoch else 1.0)
    return lr if epoch < milestone else lr / 10


def group_lr(
    config: TrainingConfig,
    step: int,
    *,
    epoch_steps: int,
    peak: float,
    lr_scale: float,
) -> float:
    """The learning rate of a group of parameters by the schedule of a run.

    Args:
        config: schedule, steps and warm-up.
        step: steps already taken, 0 for the first.
        epoch_steps: steps of one epoch.
        peak: largest learning rate of the group, before its multiplier.
        lr_scale: multiplier of the group, 1 for the default group.
    """
    steps = config.steps
    if config.schedule == "milestones":
        return milestone_lr(
            step, peak=peak, steps=steps, epoch_steps=epoch_steps, lr_scale=lr_scale
        )
    return warmup_cosine_lr(step, peak=lr_scale * peak, steps=steps, warmup=config.warmup)
