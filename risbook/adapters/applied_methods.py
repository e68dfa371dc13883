"""The methods that a module got, noted on the module itself.

A checkpoint's configuration has to name them, also where they were applied to a tower by itself,
``apply_peft(model.image_tower, "lora")``, and not through the system.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from risbook.adapters.peft_config import PEFTConfig

_ATTRIBUTE = "applied_peft"


def applied_methods(module: nn.Module) -> "tuple[PEFTConfig, ...]":
    """The methods that `apply_peft` applied to a module, in their order."""
    methods: tuple[PEFTConfig, ...] = getattr(module, _ATTRIBUTE, ())
    return methods


def note_methods(module: nn.Module, methods: "Sequence[PEFTConfig]") -> None:
    """Replace what `applied_methods` returns."""
    setattr(module, _ATTRIBUTE, tuple(methods))
