"""Freezing: parameters without gradients, in evaluation mode."""

from typing import TypeVar

from torch import nn

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def freeze(module: ModuleT) -> ModuleT:
    """Freeze a module: no parameter learns, and it is set to evaluation mode.

    Gradients still flow through a frozen tower to adapters inside or below it. And a later
    ``train()`` on the system around it sets training mode again, so that batch norms use the
    batch's statistics, as in the released ETRIS, unless an image tower has `norm_eval`.

    Returns:
        The module itself.

    >>> tower = freeze(nn.Linear(2, 2))
    >>> [parameter.requires_grad for parameter in tower.parameters()], tower.training
    ([False, False], False)
    """
    module.requires_grad_(False)
    module.eval()
    return module
