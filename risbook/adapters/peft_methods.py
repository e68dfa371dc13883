"""The generic methods of parameter-efficient tuning in one table, and a function that applies one.

    tower = apply_peft(build_tower("dinov2-mini"), "houlsby", bottleneck_dim=16)
    vit = apply_peft(timm.create_model("vit_tiny_patch16_224"), "lora", target_modules=["qkv"])

Frozen and full tuning are the two ends between which the others lie.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
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
from risbook.adapters.two_towers import TOWER_SIDES, TowerSide, TwoTowers
from risbook.attribute_hints import close_name
from risbook.errors import DataError
from risbook.keyword_aliases import keyword_aliases
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

    def option_name(self, name: str) -> str | None:
        """The option that a name or a synonym stands for; None if there is none."""
        candidates = (name, _OPTION_SYNONYMS.get(name))
        return next((option for option in candidates if option in self.options), None)


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


#: other names of the same methods, for messages
_METHOD_SYNONYMS = {
    "adapter": "houlsby",
    "vpt-deep": "prompts-deep",
    "vpt-shallow": "prompts",
    "bias": "bitfit",
    "norm": "layer-norm",
    "linear-probe": "frozen",
    "finetune": "full",
}
#: what earlier versions and other libraries call the options
_OPTION_SYNONYMS = {
    "rank": "r",
    "alpha": "lora_alpha",
    "dropout": "lora_dropout",
    "count": "num_prompts",
    "num_tokens": "num_prompts",
    "hidden": "bottleneck_dim",
    "hidden_dim": "bottleneck_dim",
    "dim": "bottleneck_dim",
    "bottleneck": "bottleneck_dim",
    "adapter_dim": "bottleneck_dim",
}


def list_adapters() -> dict[str, str]:
    """Names of the methods that `apply_peft` takes, with a line on each."""
    return {name: f"{entry.summary} ({entry.source})" for name, entry in PEFT_METHODS.items()}


def find_method(name: str) -> PEFTMethod:
    """Look a method up.

    Raises:
        DataError: if there is none of that name; the message lists those there are.
    """
    if name in PEFT_METHODS:
        return PEFT_METHODS[name]
    if name == "bridger":
        raise DataError(
            "a Bridger stands between two towers, not in one: use risbook.adapters.Bridger, or "
            'a system such as risbook.load("etris-mini")'
        )
    close = _METHOD_SYNONYMS.get(name.lower()) or close_name(name, PEFT_METHODS)
    hint = f'did you mean "{close}"? ' if close else ""
    raise DataError(f'no method "{name}": {hint}choose one of {", ".join(PEFT_METHODS)}')


def read_options(method: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a method by their names here, with synonyms replaced.

    Raises:
        DataError: if there is no such method or option, or one option is given twice.

    >>> read_options("lora", {"rank": 4, "lora_alpha": 8})
    {'r': 4, 'lora_alpha': 8}
    """
    chosen = find_method(method)
    read: dict[str, Any] = {}
    for name, value in options.items():
        option = chosen.option_name(name)
        if option is None:
            close = close_name(name, chosen.options)
            hint = f'did you mean "{close}"? ' if close else ""
            names = ", ".join(chosen.options)
            hint += f"its options are {names}" if names else "it has none"
            raise DataError(f'method "{method}" has no option "{name}": {hint}')
        if option in read:
            raise DataError(f'method "{method}": {name} is another name of {option}; give one')
        read[option] = value
    return read


@keyword_aliases(
    {"rank": "r", "alpha": "lora_alpha", "dropout": "lora_dropout"}, name="risbook.apply_lora"
)
def apply_lora(
    model: ModuleT,
    r: int = 8,
    lora_alpha: float | None = None,
    *,
    lora_dropout: float = 0.0,
    target_modules: Sequence[str] | str | None = None,
    modules_to_save: Sequence[str] | str = (),
) -> ModuleT:
    """`apply_peft(model, "lora")`; see `risbook.adapters.lora.add_lora` for the options."""
    return apply_peft(
        model,
        "lora",
        r=r,
        lora_alpha=lora_alpha,
        lora_dropout=lora_dropout,
        target_modules=target_modules,
        modules_to_save=modules_to_save,
    )


def apply_peft(
    model: ModuleT, method: str, *, tower: TowerSide | None = None, **options: Any
) -> ModuleT:
    """Freeze a model and apply one method to it, in place.

    The tower has its weights already; it is left in evaluation mode. Adapters that were added
    before stay and are frozen with it. If the method fails, the model is left as it was.

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
        DataError: if there is no such method or option, the option cannot have this value, or the
            method cannot work on this tower.

    >>> layer = apply_peft(nn.Linear(3, 2), "bitfit")
    >>> [parameter.requires_grad for parameter in layer.parameters()]
    [False, True]
    """
    chosen = find_method(method)
    if not isinstance(model, nn.Module):
        raise DataError(
            f"the model is {model!r:.40}; build it first, for instance by "
            'risbook.towers.build_tower("dinov2-mini")'
        )
    options = read_options(method, options)
    if tower not in (None, *TOWER_SIDES):
        raise DataError(f'tower is {tower!r}; it must be "image" or "text", or left out for both')
    if isinstance(model, TwoTowers):
        with restored_on_error(model):  # the second tower may refuse what the first has taken
            model.add_tower_adapters(method, options, sides=(tower,) if tower else TOWER_SIDES)
        return model.eval()
    if tower is not None:
        raise DataError(
            f"tower={tower!r} is for a system on two towers, not for {type(model).__name__}"
        )
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
