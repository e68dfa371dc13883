"""Optimisers by name."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from risbook.errors import ArgumentError
from risbook.training.training_config import OptimizerName, TrainingConfig

#: takes groups of parameters and ``lr``
OptimizerFactory = Callable[..., torch.optim.Optimizer]

OPTIMIZERS: dict[OptimizerName, OptimizerFactory] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": partial(torch.optim.SGD, momentum=0.9),
}


def build_optimizer(
    config: TrainingConfig,
    groups: list[dict[str, Any]],
    own: OptimizerFactory | torch.optim.Optimizer | None = None,
) -> torch.optim.Optimizer:
    """Make the optimiser of a run.

    Args:
        config: names the optimiser, with its learning rate and its weight decay.
        groups: from `group_parameters`.
        own: a function that makes another optimiser, or an optimiser.

    Raises:
        ArgumentError: for fields of the configuration that have no effect beside `own`, and for an
            optimiser of other parameters.
    """
    if own is None:
        return OPTIMIZERS[config.optimizer](
            groups, lr=config.learning_rate, weight_decay=config.weight_decay
        )
    if config.weight_decay:
        raise ArgumentError(
            "weight_decay has no effect on an optimiser of your own; give it to that one, for "
            "instance by functools.partial(AdamW, weight_decay=0.01)"
        )
    if not isinstance(own, torch.optim.Optimizer):
        return own(groups, lr=config.learning_rate)
    if len(groups) > 1:
        raise ArgumentError(
            "lr_multipliers has no effect on an optimiser of your own, whose groups have rates; "
            "give one of the two"
        )
    held = {id(parameter) for group in own.param_groups for parameter in group["params"]}
    if not any(id(parameter) in held for group in groups for parameter in group["params"]):
        raise ArgumentError(
            "the optimiser holds no parameter that this model tunes; make it of the parameters of "
            "the model that you give to risbook.train"
        )
    return own
