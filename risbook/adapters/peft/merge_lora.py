"""Add LoRA's change into the weights that it belongs to."""

from typing import TypeVar

from torch import nn

from risbook.adapters.peft.peft_notes import forget_peft
from risbook.errors import ArgumentError

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def merge_lora(model: ModuleT) -> ModuleT:
    """Add LoRA's change into the weights and remove LoRA, in place, so that it costs nothing.

    Args:
        model: a tower, a system, or any module that LoRA was added to.

    Returns:
        The model itself, whose outputs are those before, up to rounding.

    Raises:
        ArgumentError: if there is no LoRA in the model.
    """
    from peft.tuners.lora import LoraLayer

    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, LoraLayer)}
    if not layers:
        raise ArgumentError(f"{type(model).__name__} has no LoRA to merge")
    for name, layer in layers.items():
        layer.merge()
        model.set_submodule(name, layer.get_base_layer())
    for module in model.modules():
        if hasattr(module, "peft_config"):
            del module.peft_config
        forget_peft(module, "lora")
    return model
