"""What the training loop trains: one interface for systems and for the pretraining of towers."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn


class Objective(nn.Module):
    """A network together with its losses.

    A subclass defines `forward`; the other methods have defaults. Mixed precision
    surrounds `forward` only, so a network that is evaluated by itself computes in float32.
    """

    def forward(self, *batch: Any) -> dict[str, Tensor]:
        """Losses of a batch by name, scalars; "loss" is the one to descend."""
        raise NotImplementedError(f"{type(self).__name__} does not define its losses")

    def update(self, step: int, steps: int) -> None:
        """Called after step `step` of `steps`, for instance to move a teacher."""

    def log_values(self, step: int) -> dict[str, float]:
        """Further values for the log's rows."""
        return {}

    def evaluation_is_due(self, step: int) -> bool:
        """Whether `evaluate` shall be called after a step."""
        return False

    def evaluate(self) -> Iterable[dict[str, Any]]:
        """Rows of held-out scores for the log."""
        return ()

    def saved_state(self) -> dict[str, Tensor]:
        """What the state of a run holds of this network."""
        return dict(self.state_dict())

    def load_saved(self, state: dict[str, Tensor]) -> None:
        """Take back what `saved_state` gave."""
        self.load_state_dict(state)
