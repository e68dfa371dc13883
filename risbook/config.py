"""Configurations: frozen records of choices that refuse what they cannot be, in one line.

A configuration is a pydantic dataclass that is strict (the text ``"3"`` is no number, ``True`` is
no 1) and knows its fields. Bounds stand in the annotations, so that a file of a few bytes cannot
ask for a network of a thousand gigabytes. Fields may be configurations themselves; outside, in
JSON and on the command line, an inner field has a dotted name: ``bridger.dim``.

>>> @configuration
... class Bridge:
...     dim: Size = 64
>>> @configuration
... class Model:
...     bridge: Bridge = Bridge()
>>> with_overrides(Model(), {"bridge.dim": 32})
Model(bridge=Bridge(dim=32))
>>> from_values(Model, {"bridge": {"dim": 0}}, where="config.json")
Traceback (most recent call last):
    ...
risbook.errors.RisbookError: config.json: bridge.dim is 0; it must be a whole number from 1 to 65536
"""

import dataclasses
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Annotated, Any, Literal, TypeVar, dataclass_transform

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass
from pydantic_core import to_json, to_jsonable_python

from risbook.config_messages import one_line_errors, value_at
from risbook.errors import RisbookError

T = TypeVar("T")

#: Old names of fields: the new dotted name, or a function from the old value to new names and
#: values.
Aliases = Mapping[str, str | Callable[[Any], Mapping[str, Any]]]

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

#: a width, a side of an image, a length of a sentence
Size = Annotated[int, Field(ge=1, le=65536)]
#: how many layers or blocks
Depth = Annotated[int, Field(ge=0, le=1024)]
#: numbers of blocks of a tower, counted from 0
BlockIndices = Annotated[
    tuple[Annotated[int, Field(ge=0, le=1023)], ...], Field(examples=[[3, 7, 11]])
]
#: how many steps, samples or expressions
Count = Annotated[int, Field(ge=0, le=10**12)]
PositiveCount = Annotated[int, Field(ge=1, le=10**12)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
#: a probability of dropping or a threshold; 1 would leave nothing
Probability = Annotated[float, Field(ge=0, lt=1)]
PositiveNumber = Annotated[float, Field(gt=0)]
NonNegativeNumber = Annotated[float, Field(ge=0)]
#: an arithmetic: float32, a half precision, or the fastest of the machine
Precision = Literal["auto", "no", "bf16", "fp16"]


def _as_json(values: dict[str, Any]) -> Any:
    """Values as JSON gives them back; a range becomes a list."""
    plain = {
        key: list(value) if isinstance(value, range) else value for key, value in values.items()
    }
    return to_jsonable_python(plain)


#: options by name, as JSON gives them back, so that a configuration equals itself when it is read
Options = Annotated[dict[str, Any], AfterValidator(_as_json)]


@dataclass_transform(
    kw_only_default=True, frozen_default=True, field_specifiers=(Field, dataclasses.field)
)
def configuration(cls: type[T]) -> type[T]:
    """Make a class a frozen, strict, keyword-only pydantic dataclass.

    Its constructor takes lists for tuples. What it refuses is a one-line `RisbookError`. Checks
    across fields stand in ``__post_init__`` and raise ValueError; its message then says in which
    inner configuration it arose.
    """
    made: Any = dataclass(cls, frozen=True, kw_only=True, config=STRICT)
    validate = made.__init__

    @wraps(validate)
    def init(self: T, **values: Any) -> None:
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        with one_line_errors(made, values):
            validate(self, **values)

    made.__init__ = init
    result: type[T] = made
    return result


def from_values(cls: type[T], values: Any, *, where: str = "", aliases: Aliases | None = None) -> T:
    """Make a configuration of plain values, as they come from JSON.

    Args:
        cls: the configuration's class.
        values: fields by name; those left out have their defaults.
        where: the file or argument that they come from, for messages.
        aliases: old names of fields; the old names stand at the top.

    Raises:
        RisbookError: names the first field that is unknown, missing or wrong.
    """
    try:
        if isinstance(values, Mapping):
            values = _merge(*_rename(values, aliases or {}), None)
        with one_line_errors(cls, values):
            # In JSON a list may be a tuple, although nothing else is converted.
            return TypeAdapter(cls).validate_json(
                to_json(values, inf_nan_mode="constants", fallback=_no_json)
            )
    except RisbookError as error:
        raise RisbookError(f"{where}: {error}" if where else error) from None


def with_overrides(config: T, overrides: Mapping[str, Any], *, aliases: Aliases | None = None) -> T:
    """A configuration with some fields changed.

    Args:
        config: what to start from; it stays as it is.
        overrides: values by dotted name. A mapping for an inner configuration changes the fields
            that it names and leaves the others. None leaves a part out, where its configuration
            says by the class attribute ``without`` which values do so.
        aliases: old names of fields.

    Raises:
        RisbookError: as in `from_values`.
    """
    given, renamed = _rename(overrides, aliases or {})
    return from_values(type(config), _merge(to_values(config), {**given, **renamed}, config))


def to_values(config: Any) -> dict[str, Any]:
    """The fields of a configuration as plain values that JSON can hold."""
    values: dict[str, Any] = TypeAdapter(type(config)).dump_python(config, mode="json")
    return values


def rename_fields(values: Mapping[str, Any], aliases: Aliases) -> dict[str, Any]:
    """Values under the present names of their fields.

    Raises:
        RisbookError: for a field that is given under two names.

    >>> rename_fields({"lr": 0.1, "steps": 3}, {"lr": "learning_rate"})
    {'steps': 3, 'learning_rate': 0.1}
    """
    given, renamed = _rename(values, aliases)
    return {**given, **renamed}


def _no_json(value: Any) -> dict[str, str]:
    """Something that no field takes, in place of an object such as a network."""
    return {type(value).__name__: repr(value)[:80]}


def _rename(values: Mapping[str, Any], aliases: Aliases) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values without old names, and what stood under these by dotted new names."""
    given = {name: value for name, value in values.items() if name not in aliases}
    renamed: dict[str, Any] = {}
    for old in (name for name in values if name in aliases):
        rule = aliases[old]
        try:
            new = {rule: values[old]} if isinstance(rule, str) else rule(values[old])
        except RisbookError:
            raise
        except (TypeError, ValueError, AttributeError) as error:
            raise RisbookError(f"{old} is {values[old]!r:.80}, which it cannot be") from error
        for name in new:
            if name in {**given, **renamed} or value_at(given, name.split(".")) is not None:
                raise RisbookError(f"{old} is another name of {name}; give one")
        renamed |= new
    return given, renamed


def _merge(values: Mapping[str, Any], changes: Mapping[str, Any], config: Any) -> dict[str, Any]:
    """Values with changes at their dotted places.

    A mapping changes single fields of an inner configuration, but it replaces a field that is a
    mapping itself, such as options. `config` tells the two apart.
    """
    merged = dict(values)
    for name, value in changes.items():
        outer, dot, rest = str(name).partition(".")
        inner, place = getattr(config, outer, None), merged.get(outer, {})
        if value is None and not dot:
            value = getattr(inner, "without", None)
        nested = dataclasses.is_dataclass(inner) and isinstance(value, Mapping)
        if isinstance(place, dict) and (dot or nested):
            merged[outer] = _merge(place, {rest: value} if dot else value, inner)
        else:
            merged[str(name)] = value
    return merged
