"""Apply a generic method of parameter-efficient tuning to a tower, to a system, or to any module.

tower = apply_peft(build_tower("dinov2-mini"), "houlsby", bottleneck_dim=16)
vit = apply_peft(timm.create_model("vit_tiny_patch16_224"), "lora", target_modules=["qkv"])
model = apply_peft(load_system("etris-mini"), "lora", tower="image", r=4)
"""

from typing import Any, TypeVar

from torch import nn

from risbook.adapters.peft.applied_peft import adapter_parameters, note_peft
from risbook.adapters.peft.peft_config import PEFTConfig
from risbook.adapters.peft.peft_methods import PEFT_METHODS, get_peft_method, read_options
from risbook.adapters.peft.snapshot import restored_on_error
from risbook.adapters.peft.two_towers import TOWER_SIDES, TowerSide, TwoTowers
from risbook.errors import ArgumentError
from risbook.towers.freezing import freeze

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def apply_lora(model: ModuleT, r: int | None = None, **options: Any) -> ModuleT:
    """`apply_peft(model, "lora", r=r, ...)`; `risbook.adapters.lora.add_lora` has the options."""
    return apply_peft(model, "lora", **(options if r is None else {"r": r, **options}))


def apply_peft(
    model: ModuleT, method: str, *, tower: TowerSide | None = None, **options: Any
) -> ModuleT:
    """Freeze a model and apply one method to it, in place.

    The tower has its weights already; it is left in evaluation mode. Adapters that were added
    before stay and are frozen with it. If the method fails, the model is left as it was, and the
    method's own exception is raised.

    Args:
        model: one of our towers; for methods that need no adapter sites (LoRA, BitFit, norms) any
            module, for instance a vision transformer of timm; or a system on two towers, whose
            Bridgers and mask head stay as they are.
        method: a name of `PEFT_METHODS`.
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
    peft_method = get_peft_method(method)
    if not isinstance(model, nn.Module):
        raise ArgumentError(
            f"the model is {model!r:.40}; build it first, for instance by "
            'risbook.towers.build_tower("dinov2-mini")'
        )
    options = read_options(method, options)
    if tower not in (None, *TOWER_SIDES):
        raise ArgumentError(
            f'tower is {tower!r}; it must be "image" or "text", or left out for both'
        )
    if isinstance(model, TwoTowers):
        with restored_on_error(model):  # the second tower may refuse what the first has taken
            model.apply_tower_method(method, options, sides=(tower,) if tower else TOWER_SIDES)
        return model.eval()
    if tower is not None:
        raise ArgumentError(
            f"tower={tower!r} is for a system on two towers, not for {type(model).__name__}"
        )
    peft_method.check_values(method, options)
    if not isinstance(model, peft_method.towers):
        works_on = ", ".join(tower.__name__ for tower in peft_method.towers)
        possible = ", ".join(
            name for name, entry in PEFT_METHODS.items() if isinstance(model, entry.towers)
        )
        raise ArgumentError(
            f'method "{method}" works on {works_on}, not on {type(model).__name__}, '
            f"for which there are {possible}"
        )
    earlier = set(adapter_parameters(model))
    with restored_on_error(model):
        freeze(model)
        peft_method.function(model, **options)
    if method != "frozen":
        new = set(adapter_parameters(model)) - earlier
        note_peft(model, PEFTConfig(method=method, options=options), new)
    return model.eval()
