"""Loss functions by name, and the form of their results."""

from collections.abc import Callable, Mapping

from torch import Tensor

from risbook.errors import ArgumentError
from risbook.registry import Registry
from risbook.systems.losses import dice_loss, mask_cross_entropy
from risbook.training.run_log import STEP_COLUMNS

#: takes logits (B, 1, h, w), float32, and a target of the same size in [0, 1]; returns a scalar, or
#: scalars by name, of which "loss" is minimised and all are logged
Loss = Callable[[Tensor, Tensor], Tensor | Mapping[str, Tensor]]

#: losses that `TrainingConfig.loss` can name
LOSSES: Registry[Loss] = Registry("loss", {"cross-entropy": mask_cross_entropy, "dice": dice_loss})


def register_loss(name: str, loss: Loss) -> None:
    """Add a loss, or replace one, under a name that configurations can give.

    Args:
        name: the name.
        loss: a function of logits (B, 1, h, w), float32, and targets of that size in [0, 1]. It
            returns a scalar, or scalars by name, of which "loss" is minimised.
    """
    LOSSES[name] = loss


def get_loss(name: str) -> Loss:
    """The loss of a name.

    Raises:
        ArgumentError: for a name that is not in `LOSSES`.

    >>> get_loss("dice").__name__
    'dice_loss'
    """
    return LOSSES.lookup(name)


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
