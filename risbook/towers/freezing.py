"""Freezing: what is not to learn, said in one place."""

from typing import TypeVar

from torch import nn

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def freeze(module: ModuleT) -> ModuleT:
    """Keep a module as it is: no parameter learns, and it is set to evaluation mode.

    Two things that a frozen tower still does. Its activations carry gradients to what was tuned
    below it, if anything was: that is how adapters inside a frozen tower learn. And a later
    ``train()`` on the system around it sets training mode again, so that batch norms use the
    batch's statistics: ETRIS as released does just that, and `CLIPResNet` has `fixed_statistics`
    for those who do not want it.

    Args:
        module: for instance a tower.

    Returns:
        The module itself.

    >>> tower = freeze(nn.Linear(2, 2))
    >>> [parameter.requires_grad for parameter in tower.parameters()], tower.training
    ([False, False], False)
    """
    module.requires_grad_(False)
    module.eval()
    return module
