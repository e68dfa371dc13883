"""The interface that the training loop trains: a system, or towers in their pretraining."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor, nn


class Objective(nn.Module, ABC):
    """A network together with its losses, its batches and its learning rates.

    `forward` takes a batch of `batches` and returns scalar losses by name.

    Batches and learning rates may depend on the seed and the step only, because a resumed run
    starts in the middle. Mixed precision applies to `forward` only, so `evaluate` computes in
    float32.
    """

    @abstractmethod
    def forward(self, *batch: Any) -> dict[str, Tensor]:
        """Scalar losses of a batch by name; the optimiser minimises "loss"."""

    @abstractmethod
    def batches(self, start: int) -> Iterator[tuple[Any, ...]]:
        """The arguments of `forward` for each step after the first `start` steps, without end."""

    @abstractmethod
    def optimizer_groups(self) -> list[dict[str, Any]]:
        """The trainable parameters, as an optimiser of torch takes groups of them.

        A group may have "lr_scale", by which its learning rate is multiplied.
        """

    @abstractmethod
    def learning_rate(self, step: int, *, peak: float, lr_scale: float) -> float:
        """The learning rate of a group of parameters after `step` steps.

        Args:
            step: steps already taken, 0 for the first.
            peak: the rate that the optimiser has for the group.
            lr_scale: multiplier of the group.
        """

    def update(self, step: int, steps: int) -> None:
        """Called after step `step` of `steps`, for instance to update a teacher."""

    def log_values(self, step: int) -> dict[str, float]:
        """Further values for the log's rows."""
        return {}

    def evaluation_is_due(self, step: int) -> bool:
        """Whether `evaluate` is called after this step."""
        return False

    def evaluate(self) -> Iterable[dict[str, Any]]:
        """Rows of scores for the log."""
        return ()

    def saved_state(self) -> dict[str, Tensor]:
        """The tensors of this network that the state of a run holds."""
        return dict(self.state_dict())

    def load_saved_state(self, state: dict[str, Tensor]) -> None:
        """Load the result of `saved_state`."""
        self.load_state_dict(state)
