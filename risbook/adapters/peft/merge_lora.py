"""Add LoRA's change into the weights that it belongs to."""

from typing import TYPE_CHECKING, TypeVar

from torch import nn

from risbook.adapters.peft.peft_notes import forget_peft
from risbook.adapters.peft.snapshot import restored_on_error
from risbook.errors import ArgumentError

if TYPE_CHECKING:
    from peft.tuners.lora import LoraLayer

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def merge_lora(model: ModuleT) -> ModuleT:
    """Add LoRA's change into the weights and remove LoRA, in place, so that it costs nothing.

    Args:
        model: a tower, a system, or any module that LoRA was added to.

    Returns:
        The model itself, whose outputs are those before, up to rounding. If a layer cannot be
        merged, the model is left as it was.

    Raises:
        ArgumentError: if there is no LoRA in the model.
    """
    from peft.tuners.lora import LoraLayer

    layers: dict[str, LoraLayer] = {}
    for name, layer in model.named_modules():
        # A wrapped nn.MultiheadAttention contains a wrapped layer, which it merges itself.
        if isinstance(layer, LoraLayer) and not name.startswith(tuple(f"{n}." for n in layers)):
            layers[name] = layer
    if not layers:
        raise ArgumentError(f"{type(model).__name__} has no LoRA to merge")
    values = [value for layer in layers.values() for value in layer.parameters()]
    with restored_on_error(model, values=values):
        for name, layer in layers.items():
            model.set_submodule(name, _merge_layer(layer))
        for module in model.modules():
            if hasattr(module, "peft_config"):
                del module.peft_config
            forget_peft(module, "lora")
    return model


def _merge_layer(layer: "LoraLayer") -> nn.Module:
    """The layer that LoRA changed, with the change in its weights."""
    unload = getattr(layer, "unload_and_optionally_merge_module", None)
    base: nn.Module
    if unload is not None:
        base = unload(merge=True, safe_merge=False, adapter_names=None)
    else:
        layer.merge()
        base = layer.get_base_layer()
    return base
