"""What was applied to a tower, noted on the tower itself as `PEFTConfig`s.

Systems read their configuration from these notes, so it is the same whether a method was applied
through the system or to the tower by itself, ``apply_peft(model.image_tower, "lora")``.
"""

from collections.abc import Iterable

from torch import nn

from risbook.adapters.peft.peft_config import PEFTConfig
from risbook.towers.transformer_tower import TransformerTower

#: attributes of a module
_CONFIGS = "_peft_configs"
_PARAMETERS = "_peft_parameters"


def applied_peft(module: nn.Module) -> tuple[PEFTConfig, ...]:
    """What `apply_peft` applied to a module, in this order."""
    peft_configs: tuple[PEFTConfig, ...] = getattr(module, _CONFIGS, ())
    return peft_configs


def note_peft(module: nn.Module, peft_config: PEFTConfig, parameters: Iterable[str] = ()) -> None:
    """Add a method with its options to the notes of a module.

    Args:
        module: the module that it was applied to.
        peft_config: the method and its options.
        parameters: names of the adapter parameters that it made.
    """
    setattr(module, _CONFIGS, (*applied_peft(module), peft_config))
    noted: frozenset[str] = getattr(module, _PARAMETERS, frozenset())
    setattr(module, _PARAMETERS, noted.union(parameters))


def forget_peft(module: nn.Module, method: str) -> None:
    """Remove a method from the notes of a module, if it is there."""
    if applied := applied_peft(module):
        setattr(module, _CONFIGS, tuple(peft for peft in applied if peft.method != method))


def adapter_parameters(tower: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that were added to a tower, by name: adapters, prompts and LoRA."""
    parameters = tower.named_parameters()
    return {name: value for name, value in parameters if is_adapter_parameter(tower, name)}


def is_adapter_parameter(tower: nn.Module, name: str) -> bool:
    """Whether a parameter, by its name in the tower, was added to it."""
    if isinstance(tower, TransformerTower) and name.startswith(("adapters.", "prompts")):
        return True
    module = tower
    for attribute in name.split(".")[:-1]:
        # peft's layers say under which attributes they keep their own parameters
        if attribute in getattr(module, "adapter_layer_names", ()):
            return True
        module = getattr(module, attribute)
    return False


def unnamed_adapters(tower: nn.Module) -> list[str]:
    """Names of the adapter parameters that no method made, so that no configuration names them."""
    noted: frozenset[str] = getattr(tower, _PARAMETERS, frozenset())
    return [name for name in adapter_parameters(tower) if name not in noted]
