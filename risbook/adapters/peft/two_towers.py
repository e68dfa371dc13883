"""The interface of systems on two towers, which `apply_peft` calls."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, get_args, runtime_checkable

TowerSide = Literal["image", "text"]
TOWER_SIDES: tuple[TowerSide, ...] = get_args(TowerSide)


@runtime_checkable
class TwoTowers(Protocol):
    """A system that applies methods to its towers by itself."""

    def apply_tower_method(
        self, method: str, options: Mapping[str, Any], *, sides: Sequence[TowerSide]
    ) -> None:
        """Apply a method of `PEFT_METHODS` to towers, in place.

        Raises:
            ArgumentError: if one of these towers has a method already, or cannot have this one.
        """
