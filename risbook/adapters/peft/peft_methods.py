"""The generic methods of parameter-efficient tuning in one table.

Frozen and full tuning are the two ends between which the others lie.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json
from torch import nn

from risbook.adapters.bitfit import tune_biases
from risbook.adapters.bottleneck_methods import add_adaptformer, add_houlsby, add_parallel
from risbook.adapters.layer_norms import tune_layer_norms
from risbook.adapters.lora import add_lora
from risbook.adapters.prompts import add_deep_prompts, add_shallow_prompts
from risbook.attribute_hints import close_name
from risbook.errors import ArgumentError
from risbook.registry import Registry
from risbook.synonyms import PEFT_METHOD_HINTS, PEFT_OPTIONS
from risbook.towers.transformer_tower import TransformerTower

ANY: tuple[type[nn.Module], ...] = (nn.Module,)
TRANSFORMERS: tuple[type[nn.Module], ...] = (TransformerTower,)

#: an annotation may name a class beside what JSON can hold, for instance ``str | nn.Module``
_ANY_CLASS = ConfigDict(arbitrary_types_allowed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class PEFTMethod:
    """A method of tuning a tower.

    Args:
        summary: one line for tables.
        function: applies it to a frozen tower, in place. Its keyword arguments are the options.
            Values are what JSON can hold, because configurations name them; they are checked
            against the annotations and brought to their types, unless an annotation is text. Two
            options are filled by a system that is not given them: `text_dim`, the channels of the
            text tokens, and `image_dims`, those of the map that enters each stage.
        paper: its authors and year; empty for none.
        supports: classes of towers that it works on.
    """

    summary: str
    function: Callable[..., object]
    paper: str = ""
    supports: tuple[type[nn.Module], ...] = TRANSFORMERS

    @property
    def description(self) -> str:
        """The summary, with the paper if there is one."""
        return f"{self.summary} ({self.paper})" if self.paper else self.summary

    @property
    def options(self) -> dict[str, Any]:
        """Names of the options and their defaults."""
        return {
            name: parameter.default
            for name, parameter in inspect.signature(self.function).parameters.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        }

    def read_value(self, option: str, value: Any) -> Any:
        """The value of an option in the type of its annotation; a list may stand for a tuple.

        Raises:
            ValueError: if it has another type, is out of the bounds of the annotation, or is
                nothing that JSON can hold.
        """
        annotation = inspect.signature(self.function).parameters[option].annotation
        if annotation is inspect.Parameter.empty or isinstance(annotation, str):
            return value
        try:
            json = to_json(list(value) if isinstance(value, range) else value)
            typed = TypeAdapter(annotation, config=_ANY_CLASS).validate_json(json, strict=True)
            # For an Iterable, pydantic returns an iterator that checks each entry as it is read.
            return list(typed) if isinstance(typed, Iterator) else typed
        except PydanticSerializationError:
            raise ValueError("options are values that JSON can hold") from None
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"]) from None

    def option_name(self, name: str) -> str | None:
        """The option that a name or an alias stands for; None if there is none."""
        candidates = (name, PEFT_OPTIONS.get(name))
        return next((option for option in candidates if option in self.options), None)


def _leave_frozen(tower: nn.Module) -> None:
    """No parameter is tuned."""


def _tune_all(tower: nn.Module) -> None:
    tower.requires_grad_(True)


PEFT_METHODS: Registry[PEFTMethod] = Registry(
    "method",
    {
        "frozen": PEFTMethod(
            summary="no parameter of the tower is tuned",
            function=_leave_frozen,
            supports=ANY,
        ),
        "full": PEFTMethod(
            summary="every parameter of the tower is tuned",
            function=_tune_all,
            supports=ANY,
        ),
        "houlsby": PEFTMethod(
            summary="a bottleneck after attention and MLP of every block",
            paper="Houlsby et al., 2019",
            function=add_houlsby,
        ),
        "parallel": PEFTMethod(
            summary="a bottleneck beside attention and MLP of every block",
            paper="He et al., 2022",
            function=add_parallel,
        ),
        "adaptformer": PEFTMethod(
            summary="a bottleneck beside the MLP of every block, with scale 0.1",
            paper="Chen et al., 2022",
            function=add_adaptformer,
        ),
        "bitfit": PEFTMethod(
            summary="the biases are tuned",
            paper="Ben Zaken et al., 2022",
            function=tune_biases,
            supports=ANY,
        ),
        "layer-norm": PEFTMethod(
            summary="the layer norms are tuned",
            paper="Qi et al., 2022",
            function=tune_layer_norms,
            supports=ANY,
        ),
        "prompts": PEFTMethod(
            summary="learned tokens among the others, inserted at the first block",
            paper="Jia et al., 2022 (images); Zhou et al., 2022 (text)",
            function=add_shallow_prompts,
        ),
        "prompts-deep": PEFTMethod(
            summary="learned tokens among the others, new ones at every block",
            paper="Jia et al., 2022",
            function=add_deep_prompts,
        ),
        "lora": PEFTMethod(
            summary="a low-rank change of the attention's projections",
            paper="Hu et al., 2022",
            function=add_lora,
            supports=ANY,
        ),
    },
    hints=PEFT_METHOD_HINTS,
)


def register_peft_method(name: str, method: PEFTMethod) -> None:
    """Add a method, or replace one, under a name, which configurations can then hold.

    A checkpoint of a system with the method can be loaded where the method is registered.
    """
    PEFT_METHODS[name] = method


def list_peft_methods() -> dict[str, str]:
    """Names of the methods that `apply_peft` takes, with a line on each."""
    return {name: method.description for name, method in PEFT_METHODS.items()}


def get_peft_method(name: str) -> PEFTMethod:
    """Look a method up.

    Raises:
        ArgumentError: if no method has this name; the message lists the names of all methods.
    """
    if name == "bridger" and name not in PEFT_METHODS:
        raise ArgumentError(
            "a Bridger stands between two towers, not in one: use risbook.adapters.Bridger, or "
            'a system such as risbook.load("etris-mini")'
        )
    return PEFT_METHODS.lookup(name)


def read_options(method: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a method by their names here, with aliases replaced and values checked.

    The values stay plain, as a configuration holds them and JSON writes them; `apply_to_tower`
    brings them to the types of the method.

    Raises:
        ArgumentError: if there is no such method or option, one option is given twice, or its value
            is not of the type that the method declares.

    >>> read_options("lora", {"rank": 4, "lora_alpha": 8})
    {'r': 4, 'lora_alpha': 8}
    """
    peft_method = get_peft_method(method)
    read: dict[str, Any] = {}
    for name, value in options.items():
        option = peft_method.option_name(name)
        if option is None:
            close = close_name(name, peft_method.options)
            hint = f"did you mean {close!r}? " if close else ""
            names = ", ".join(peft_method.options)
            hint += f"its options are {names}" if names else "it has none"
            raise ArgumentError(f"method {method!r} has no option {name!r}: {hint}")
        if option in read:
            raise ArgumentError(f"method {method!r}: {name} is another name of {option}; give one")
        try:
            peft_method.read_value(option, value)
        except ValueError as error:
            raise ArgumentError(
                f"method {method!r} cannot work with {option}={value!r} ({error})"
            ) from None
        read[option] = value
    return read
