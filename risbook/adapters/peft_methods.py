"""The generic methods of parameter-efficient tuning in one table, and a function that applies one.

    tower = apply_peft(build_tower("dinov2-mini"), "houlsby", bottleneck_dim=16)
    vit = apply_peft(timm.create_model("vit_tiny_patch16_224"), "lora", target_modules=["qkv"])

Frozen and full tuning are the two ends between which the others lie.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import nn

from risbook.adapters.adaptformer import add_adaptformer
from risbook.adapters.bitfit import tune_biases
from risbook.adapters.houlsby import add_houlsby
from risbook.adapters.layer_norms import tune_norms
from risbook.adapters.lora import add_lora
from risbook.adapters.parallel import add_parallel
from risbook.adapters.prompts import add_deep_prompts, add_shallow_prompts
from risbook.adapters.snapshot import restored_on_error
from risbook.attribute_hints import close_name
from risbook.errors import DataError
from risbook.towers.freezing import freeze
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.text_transformer import TextTransformer

ModuleT = TypeVar("ModuleT", bound=nn.Module)

ANY: tuple[type[nn.Module], ...] = (nn.Module,)
TRANSFORMERS: tuple[type[nn.Module], ...] = (ImageTransformer, TextTransformer)


@dataclass(frozen=True, slots=True, kw_only=True)
class PEFTMethod:
    """A method of tuning a tower.

    Args:
        summary: one line for tables.
        source: its paper.
        function: applies it to a frozen tower, in place; its keyword arguments are the options.
        towers: classes that it works on.
    """

    summary: str
    source: str
    function: Callable[..., object]
    towers: tuple[type[nn.Module], ...] = TRANSFORMERS

    @property
    def options(self) -> dict[str, Any]:
        """Names of the options and their defaults."""
        return {
            name: parameter.default
            for name, parameter in inspect.signature(self.function).parameters.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        }


def _leave_frozen(tower: nn.Module) -> None:
    """No parameter is tuned."""


def _tune_all(tower: nn.Module) -> None:
    tower.requires_grad_(True)


PEFT_METHODS: dict[str, PEFTMethod] = {
    "frozen": PEFTMethod(
        summary="no parameter of the tower is tuned",
        source="the lower end",
        function=_leave_frozen,
        towers=ANY,
    ),
    "full": PEFTMethod(
        summary="every parameter of the tower is tuned",
        source="the upper end",
        function=_tune_all,
        towers=ANY,
    ),
    "houlsby": PEFTMethod(
        summary="a bottleneck after attention and MLP of every block",
        source="Houlsby et al., 2019",
        function=add_houlsby,
    ),
    "parallel": PEFTMethod(
        summary="a bottleneck beside attention and MLP of every block",
        source="He et al., 2022",
        function=add_parallel,
    ),
    "adaptformer": PEFTMethod(
        summary="a bottleneck beside the MLP of every block, with scale 0.1",
        source="Chen et al., 2022",
        function=add_adaptformer,
    ),
    "bitfit": PEFTMethod(
        summary="the biases are tuned",
        source="Ben Zaken et al., 2022",
        function=tune_biases,
        towers=ANY,
    ),
    "layer-norm": PEFTMethod(
        summary="the norms are tuned",
        source="Qi et al., 2022",
        function=tune_norms,
        towers=ANY,
    ),
    "prompts": PEFTMethod(
        summary="learned tokens among the others, inserted at the first block",
        source="Jia et al., 2022 (images); Zhou et al., 2022 (text)",
        function=add_shallow_prompts,
    ),
    "prompts-deep": PEFTMethod(
        summary="learned tokens among the others, new ones at every block",
        source="Jia et al., 2022",
        function=add_deep_prompts,
    ),
    "lora": PEFTMethod(
        summary="a low-rank change of the attention's projections",
        source="Hu et al., 2022",
        function=add_lora,
        towers=ANY,
    ),
}


#: what other libraries call the methods and their options
_METHOD_HINTS = {
    "adapter": "houlsby",
    "bottleneck": "houlsby",
    "pfeiffer": "houlsby",
    "vpt": "prompts-deep",
    "vpt-deep": "prompts-deep",
    "vpt-shallow": "prompts",
    "prompt": "prompts",
    "bias": "bitfit",
    "layernorm": "layer-norm",
    "norm": "layer-norm",
    "linear-probe": "frozen",
    "finetune": "full",
}
_OPTION_NAMES = {
    "r": "rank",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "dim": "bottleneck_dim",
    "hidden_dim": "bottleneck_dim",
    "bottleneck": "bottleneck_dim",
    "adapter_dim": "bottleneck_dim",
}


def list_adapters() -> dict[str, str]:
    """Names of the methods that `apply_peft` takes, and of the modules, with a line on each."""
    methods = {name: f"{entry.summary} ({entry.source})" for name, entry in PEFT_METHODS.items()}
    bridger = (
        "between two towers, as in the etris models: risbook.adapters.Bridger (Xu et al., 2023)"
    )
    return {**methods, "bridger": bridger}


def apply_lora(
    model: ModuleT,
    r: int = 8,
    alpha: float | None = None,
    *,
    dropout: float = 0.0,
    target_modules: Sequence[str] | str | None = None,
) -> ModuleT:
    """`apply_peft(model, "lora")` with peft's names: rank r, scale alpha / r."""
    return apply_peft(
        model, "lora", rank=r, alpha=alpha, dropout=dropout, target_modules=target_modules
    )


def apply_peft(model: ModuleT, method: str, **options: Any) -> ModuleT:
    """Freeze a model and apply one method to it, in place.

    The tower has its weights already; it is left in evaluation mode. Adapters that were added
    before stay and are frozen with it.

    Args:
        model: one of our towers; for methods that need no adapter sites (LoRA, BitFit, norms) any
            module, for instance a vision transformer of timm; or a system on two towers, which gets
            the method in both, while its Bridgers and its mask head stay as they are.
        method: a name of `PEFT_METHODS`.
        options: keyword arguments of the method's function, for instance ``bottleneck_dim=16``;
            LoRA's may have their names in peft, ``r`` and ``lora_alpha``.

    Returns:
        The model itself.

    Raises:
        DataError: if there is no such method or option, the option cannot have this value, or the
            method cannot work on this tower.

    >>> tower = apply_peft(nn.Linear(3, 2), "bitfit")
    >>> [parameter.requires_grad for parameter in tower.parameters()]
    [False, True]
    """
    if method == "bridger":
        raise DataError(
            "a Bridger stands between two towers, not in one: use risbook.adapters.Bridger, or "
            'a system such as risbook.load("etris-mini")'
        )
    if not isinstance(model, nn.Module):
        raise DataError(
            f"the model is {model!r:.40}; build it first, for instance by "
            'risbook.towers.build_tower("dinov2-mini")'
        )
    if method not in PEFT_METHODS:
        close = _METHOD_HINTS.get(method.lower()) or close_name(method, PEFT_METHODS)
        hint = f'did you mean "{close}"? ' if close else ""
        raise DataError(f'no method "{method}": {hint}choose one of {", ".join(PEFT_METHODS)}')
    chosen = PEFT_METHODS[method]
    options = {
        name if name in chosen.options else _OPTION_NAMES.get(name, name): value
        for name, value in options.items()
    }
    if unknown := [name for name in options if name not in chosen.options]:
        hint = f"its options are {', '.join(chosen.options)}" if chosen.options else "it has none"
        raise DataError(f'method "{method}" has no option "{unknown[0]}": {hint}')
    if callable(add_tower_adapters := getattr(model, "add_tower_adapters", None)):
        with restored_on_error(model):  # the second tower may refuse what the first has taken
            add_tower_adapters(method, options)
        return model.eval()
    if not isinstance(model, chosen.towers):
        works_on = ", ".join(tower.__name__ for tower in chosen.towers)
        possible = ", ".join(
            name for name, entry in PEFT_METHODS.items() if isinstance(model, entry.towers)
        )
        raise DataError(
            f'method "{method}" works on {works_on}, not on {type(model).__name__}, '
            f"for which there are {possible}"
        )
    with restored_on_error(model):
        freeze(model)
        try:
            chosen.function(model, **options)
        except DataError:
            raise
        except (TypeError, ValueError) as error:  # a word for a number, a number for a list
            given = ", ".join(f"{name}={value!r}" for name, value in options.items())
            usual = ", ".join(f"{name}={value!r}" for name, value in chosen.options.items())
            raise DataError(
                f'method "{method}" cannot work with {given} ({error}); usual are {usual}'
            ) from error
    return model.eval()
