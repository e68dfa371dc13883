"""Apply a generic method of parameter-efficient tuning to a tower, to a system, or to any module.

For instance::

    tower = apply_peft(build_tower("dinov2-mini"), "houlsby", bottleneck_dim=16)
    vit = apply_peft(timm.create_model("vit_tiny_patch16_224"), "lora", target_modules=["qkv"])
    model = apply_peft(load_system("etris-mini"), "lora", tower="image", r=4)
"""

import inspect
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar, runtime_checkable

from torch import nn

from risbook.adapters.peft.peft_config import PEFTConfig
from risbook.adapters.peft.peft_methods import PEFT_METHODS, get_peft_method, read_options
from risbook.adapters.peft.peft_notes import adapter_parameters, note_peft
from risbook.adapters.peft.snapshot import restored_on_error
from risbook.errors import ArgumentError
from risbook.towers.freezing import freeze
from risbook.towers.stages import MODALITIES, Modality, StagedTower

ModuleT = TypeVar("ModuleT", bound=nn.Module)


@runtime_checkable
class PEFTTowers(Protocol):
    """A system on two towers, which applies a method to them itself.

    The name of its method is long so that no module of another library has it.
    """

    def apply_peft_to_towers(self, peft: PEFTConfig, *, tower: Modality | None) -> None:
        """Apply a method to one tower, or with None to both."""


def apply_lora(model: ModuleT, r: int | None = None, **options: Any) -> ModuleT:
    """`apply_peft(model, "lora", r=r, ...)`; `risbook.adapters.lora.add_lora` has the options."""
    return apply_peft(model, "lora", **(options if r is None else {"r": r, **options}))


def apply_peft(
    model: ModuleT, method: str | PEFTConfig, *, tower: Modality | None = None, **options: Any
) -> ModuleT:
    """Freeze a model and apply one method to it, in place.

    The tower has its weights already; it is left in evaluation mode. Adapters that were added
    before stay and are frozen with it. If the method fails, the model is left as it was, and the
    method's own exception is raised.

    Args:
        model: one of our towers; for methods that need no adapter sites (LoRA, BitFit, layer norms)
            any module, for instance a vision transformer of timm; or a system on two towers, whose
            Bridgers and mask head stay as they are.
        method: a name of `PEFT_METHODS`; or a `PEFTConfig`, which has its options itself.
        tower: of a system, the tower that gets the method: "image" or "text"; None for both. So the
            towers can have two methods, or two sets of options.
        options: keyword arguments of the method's function, for instance ``bottleneck_dim=16``.

    Returns:
        The model itself.

    Raises:
        ArgumentError: if there is no such method or option, the option's value is not of the type
            that the method declares, or the method cannot work on this tower.

    >>> layer = apply_peft(nn.Linear(3, 2), "bitfit")
    >>> [parameter.requires_grad for parameter in layer.parameters()]
    [False, True]
    """
    if isinstance(method, PEFTConfig):
        options = {**method.options, **options}
        method = method.method
    options = read_options(method, options)
    if not isinstance(model, nn.Module):
        raise ArgumentError(
            f"the model is {model!r:.40}; build it first, for instance by "
            'risbook.towers.build_tower("dinov2-mini")'
        )
    if tower not in (None, *MODALITIES):
        raise ArgumentError(
            f'tower is {tower!r}; it must be "image" or "text", or left out for both'
        )
    peft = PEFTConfig(method=method, options=options)
    if isinstance(model, PEFTTowers):
        model.apply_peft_to_towers(peft, tower=tower)
    elif tower is not None:
        raise ArgumentError(
            f"tower={tower!r} is for a system on two towers, not for {type(model).__name__}"
        )
    else:
        apply_to_tower(model, peft)
    return model


def apply_to_tower(
    tower: nn.Module, peft: PEFTConfig, *, context_dims: Mapping[str, Any] | None = None
) -> None:
    """Freeze one tower and apply a method to it, in place; if it fails, the tower is as it was.

    A tower with `train_pos_embed`, which a system sets, keeps its position embeddings tuned.

    Args:
        tower: a tower, or any module that the method supports.
        peft: the method and its options.
        context_dims: options that a system fills, see `PEFTMethod`; those that the method does not
            have are left out.

    Raises:
        ArgumentError: if the method cannot work on this tower, or an option is missing.
    """
    method = get_peft_method(peft.method)
    if not isinstance(tower, method.supports):
        works_on = ", ".join(supported.__name__ for supported in method.supports)
        possible = ", ".join(
            name for name, entry in PEFT_METHODS.items() if isinstance(tower, entry.supports)
        )
        raise ArgumentError(
            f"method {peft.method!r} works on {works_on}, not on {type(tower).__name__}, "
            f"for which there are {possible}"
        )
    filled = {k: value for k, value in (context_dims or {}).items() if k in method.options}
    given = {name: method.read_value(name, value) for name, value in peft.options.items()}
    options = {**filled, **given}
    for name, default in method.options.items():
        if default is inspect.Parameter.empty and name not in options:
            raise ArgumentError(f"method {peft.method!r} needs a value for its option {name}")
    earlier = set(adapter_parameters(tower))
    with restored_on_error(tower):
        freeze(tower)
        method.function(tower, **options)
        if isinstance(tower, StagedTower) and tower.train_pos_embed and tower.pos_embed is not None:
            tower.pos_embed.requires_grad_(True)
    if peft.method != "frozen":
        note_peft(tower, peft, set(adapter_parameters(tower)) - earlier)
    tower.eval()
