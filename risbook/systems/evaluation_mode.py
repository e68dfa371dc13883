"""Evaluation mode for the length of a computation."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode, and leave each of its submodules in the mode that it had.

    ``module.train(was_training)`` would give all of them one mode, also those that somebody keeps
    in evaluation mode while the rest is trained.
    """
    modes = {submodule: submodule.training for submodule in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for submodule, mode in modes.items():
            submodule.training = mode
