"""Parameters that share a learning rate."""

from collections.abc import Mapping
from typing import Any

from risbook.errors import ArgumentError
from risbook.systems import System


def group_parameters(system: System, lr_multipliers: Mapping[str, float]) -> list[dict[str, Any]]:
    """Group the tuned parameters by their learning rate.

    A group whose multiplier is 1 stays in the default group, so that states of runs without
    `lr_multipliers` still fit.

    Args:
        system: its `parameter_groups` have the names.
        lr_multipliers: multipliers of the learning rate by name of the group.

    Returns:
        The groups as an optimiser takes them, the default group first. Each has its multiplier as
        "lr_scale", the name that timm's optimisers and schedules use.

    Raises:
        ArgumentError: for a group that the system does not have, or that is frozen.
    """
    scaled = {name: multiplier for name, multiplier in lr_multipliers.items() if multiplier != 1}
    named = system.parameter_groups()
    for name in scaled:
        if not named.get(name):
            raise ArgumentError(
                f"lr_multipliers.{name} is {scaled[name]}, but this {system.name} has no {name}; "
                "leave it out"
            )
    groups = [{"params": named[name], "lr_scale": scale} for name, scale in scaled.items()]
    grouped = {parameter for name in scaled for parameter in named[name]}
    tuned = [parameter for parameter in system.parameters() if parameter.requires_grad]
    default = [parameter for parameter in tuned if parameter not in grouped]
    return [{"params": default, "lr_scale": 1.0}, *groups]
