"""Where a tower's weights come from: part of the model, shown wherever a result is shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

WeightsKind = Literal["real", "small", "random"]


@dataclass(frozen=True, slots=True)
class WeightsSource:
    """Where the weights of a tower come from.

    Args:
        kind: "real" for a published tower's, "small" for a tower of ours, "random" for none.
        source: file or hub name with revision; empty for random weights.
        sha256: digest of that file.
        random_parts: parts of the tower that the file does not hold and that started random.
        inside: whether a system's checkpoint holds the tower, since no file holds it alone.

    >>> str(WeightsSource())
    'random weights'
    >>> str(WeightsSource("small", "dinov2-mini, shipped", "0123456789abcdef"))
    'small weights: dinov2-mini, shipped (sha256 01234567)'
    """

    kind: WeightsKind = "random"
    source: str = ""
    sha256: str = ""
    random_parts: tuple[str, ...] = ()
    inside: bool = False

    def __str__(self) -> str:
        line = f"{self.kind} weights"
        if self.source:
            line += f": {self.source}"
        if self.sha256:
            line += f" (sha256 {self.sha256[:8]})"
        if self.random_parts:
            line += f", but {' and '.join(self.random_parts)} random"
        return line

    def record(self) -> dict[str, Any]:
        """The same as plain values, for a results file or a checkpoint's configuration."""
        return {
            "kind": self.kind,
            "source": self.source,
            "sha256": self.sha256,
            "random_parts": list(self.random_parts),
            **({"inside": True} if self.inside else {}),
        }

    @classmethod
    def from_record(cls, values: Mapping[str, Any]) -> "WeightsSource":
        """The way back from `record`."""
        return cls(**{**values, "random_parts": tuple(values.get("random_parts", ()))})


def weights_source(tower: nn.Module) -> WeightsSource:
    """Where a tower's weights come from; random for a tower that nobody loaded weights into."""
    origin = getattr(tower, "origin", None)
    return origin if isinstance(origin, WeightsSource) else WeightsSource()


def set_weights_source(tower: nn.Module, origin: WeightsSource) -> None:
    """Note where a tower's weights come from; `copy.deepcopy` keeps it."""
    tower.__dict__["origin"] = origin  # plain data, which is no business of nn.Module
