"""Which parameters share a learning rate."""

from collections.abc import Mapping

from torch import nn

from risbook.errors import RisbookError
from risbook.systems import System


def group_parameters(
    system: System, lr_multipliers: Mapping[str, float]
) -> tuple[list[list[nn.Parameter]], list[float]]:
    """The trainable parameters, grouped by their multiple of the learning rate.

    A group whose multiple is 1 joins the default group, in the order of the system's parameters,
    so that states of runs without `lr_multipliers` still fit.

    Args:
        system: its `parameter_groups` have the names.
        lr_multipliers: multiples by name of the group.

    Returns:
        The groups, the default group first, and the multiple of each.

    Raises:
        RisbookError: for a group that the system does not have, or that is frozen.
    """
    named = system.parameter_groups()
    scaled = {name: multiple for name, multiple in lr_multipliers.items() if multiple != 1}
    group_of = {id(parameter): name for name in scaled for parameter in named.get(name, ())}
    groups: dict[str, list[nn.Parameter]] = {"default": [], **{name: [] for name in scaled}}
    for parameter in system.parameters():
        if parameter.requires_grad:
            groups[group_of.get(id(parameter), "default")].append(parameter)
    for name in scaled:
        if not groups[name]:
            raise RisbookError(
                f"lr_multipliers.{name} is {scaled[name]}, but this {system.name} has no {name}; "
                "leave it out"
            )
    return list(groups.values()), [scaled.get(name, 1.0) for name in groups]
