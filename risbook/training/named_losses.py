"""The form of the results of loss functions: scalars by name."""

from collections.abc import Mapping

from torch import Tensor

from risbook.errors import ArgumentError
from risbook.training.run_log import STEP_COLUMNS


def named_losses(values: Tensor | Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring the result of a loss function to scalars by name; a single scalar is called "loss".

    Only "loss" keeps its gradient, because the others are only logged.

    Raises:
        ArgumentError: for a value that is not a tensor with one number, for a dictionary without
            "loss", and for a name that the log uses for something else.

    >>> import torch
    >>> named_losses({"loss": torch.tensor([3.0]), "dice": torch.tensor(1.0)})
    {'loss': tensor(3.), 'dice': tensor(1.)}
    """
    losses = dict(values) if isinstance(values, Mapping) else {"loss": values}
    if "loss" not in losses:
        raise ArgumentError(
            f"the loss function returned {', '.join(map(str, losses)) or 'no loss'}; the value to "
            "minimise must be among them as 'loss'"
        )
    for name, value in losses.items():
        if name in STEP_COLUMNS:
            raise ArgumentError(
                f"the loss function returned {name!r}, which the log uses for something else; "
                "give the loss another name"
            )
        if not isinstance(value, Tensor) or value.numel() != 1:
            size = f" of {tuple(value.shape)}" if isinstance(value, Tensor) else ""
            raise ArgumentError(
                f"the loss function returned a {type(value).__name__}{size} as {name!r}; it must "
                "be a tensor with one number, for instance a mean"
            )
    scalars = {name: value.reshape(()) for name, value in losses.items()}
    return {name: value if name == "loss" else value.detach() for name, value in scalars.items()}
