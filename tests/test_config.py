"""Configurations: what is refused, in which words, and how values travel through JSON."""

import json
import pickle
from dataclasses import FrozenInstanceError, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from risbook.config import (
    Count,
    Depth,
    Options,
    PositiveNumber,
    Probability,
    Size,
    configuration,
    from_values,
    to_values,
    with_overrides,
)
from risbook.errors import RisbookError

Stage = Annotated[int, Field(ge=1, le=3)]


@configuration
class Bridge:
    """An inner configuration."""

    dim: Size = 64
    num_heads: Size = 4
    stages: Annotated[tuple[Stage, ...], Field(examples=[[1, 2, 3]])] = (1, 2, 3)

    def __post_init__(self) -> None:
        if self.dim % self.num_heads:
            raise ValueError(f"num_heads {self.num_heads} does not divide dim {self.dim}")


@configuration
class Model:
    """A configuration with one of every kind of field."""

    name: str
    bridge: Bridge = Bridge()
    kind: Literal["full", "product"] = "full"
    widths: tuple[Size, Size] = (8, 16)
    splits: Annotated[tuple[str, ...], Field(min_length=1)] = ("train",)
    depth: Depth = 2
    limit: Count = 0
    dropout: Probability = 0.1
    rates: dict[str, PositiveNumber] = field(default_factory=dict)
    train_norm: bool = True
    method: str | None = None
    options: Options = field(default_factory=dict)


ALIASES = {
    "bridge_width": "bridge.dim",
    "bridge_rate": lambda value: {"rates": {"bridge": value}} if value != 1 else {},
}
MODEL = Model(
    name="m", widths=(4, 4), rates={"bridge": 10}, options={"rank": (1, 2)}, bridge=Bridge(dim=8)
)


def test_values_travel_through_json(tmp_path: Path) -> None:
    values = json.loads(json.dumps(to_values(MODEL)))
    assert values["bridge"] == {"dim": 8, "num_heads": 4, "stages": [1, 2, 3]}
    assert from_values(Model, values) == MODEL
    assert pickle.loads(pickle.dumps(MODEL)) == MODEL  # noqa: S301  made one line above
    assert replace(MODEL, depth=3) == with_overrides(MODEL, {"depth": 3})


def test_lists_become_tuples_in_constructors_too() -> None:
    model: Any = Model
    assert model(name="m", widths=[4, 4]) == Model(name="m", widths=(4, 4))


def test_a_configuration_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        MODEL.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bridge": {"dim": 0}}, "bridge.dim is 0; it must be a whole number from 1 to 65536"),
        ({"bridge": {"dim": 10**9}}, "bridge.dim is 1000000000; it must be a whole number from 1"),
        ({"depth": 99999999999}, "depth is 99999999999; it must be a whole number from 0 to 1024"),
        ({"depth": 10**5000}, "JSON cannot hold these values (Invalid JSON: number out of range"),
        ({"depth": True}, "depth is True; it must be a whole number"),
        ({"depth": 1.5}, "depth is 1.5; it must be a whole number"),
        ({"depth": "2"}, "depth is '2'; it must be a whole number"),
        ({"bridge": {"num_heads": 3}}, "bridge: num_heads 3 does not divide dim 64"),
        ({"bridge": 3}, "bridge is 3; it must be values by name"),
        ({"bridge": None}, "bridge is None; it must be values by name"),
        ({"bridge": []}, "bridge is []; it must be values by name"),
        ({"kind": "half"}, "kind is 'half'; it must be 'full' or 'product'"),
        ({"widths": [4]}, "widths is [4]; it must be a list of 2 whole numbers from 1 to 65536"),
        ({"widths": 4}, "widths is 4; it must be a list of 2 whole numbers from 1 to 65536"),
        (
            {"bridge": {"stages": ["1"]}},
            "bridge.stages is ['1']; it must be a list of whole numbers from 1 to 3, "
            "for instance [1, 2, 3]",
        ),
        ({"splits": []}, "splits is []; it must be a list of one or more texts"),
        ({"splits": "train"}, "splits is 'train'; it must be a list of one or more texts"),
        ({"dropout": 1.0}, "dropout is 1.0; it must be a number from 0 to below 1"),
        ({"dropout": float("nan")}, "dropout is nan; it must be a number from 0 to below 1"),
        ({"rates": {"bridge": 0}}, "rates.bridge is 0; it must be a number above 0"),
        ({"rates": {"bridge": float("inf")}}, "rates.bridge is inf; it must be a number above 0"),
        ({"train_norm": 1}, "train_norm is 1; it must be true or false"),
        ({"method": 3}, "method is 3; it must be text or null"),
        ({"options": 5}, "options is 5; it must be values by name"),
        (
            {"bridge": {"width": 3}},
            "the configuration has no 'bridge.width'; it has bridge.dim, bridge.num_heads, "
            "bridge.stages",
        ),
        ({"colour": 3}, "the configuration has no 'colour'; it has name, bridge.dim, "),
        ({"a\nb": 3}, r"the configuration has no 'a\nb'; it has name"),
        ({"name": "\ud800"}, "JSON cannot hold these values"),
    ],
)
def test_a_mistake_is_one_line_with_the_dotted_field(values: dict[str, Any], message: str) -> None:
    with pytest.raises(RisbookError) as caught:
        from_values(Model, {"name": "m", **values}, where="config.json")
    assert str(caught.value).startswith(f"config.json: {message}")
    assert "\n" not in str(caught.value)
    with pytest.raises(RisbookError):
        with_overrides(MODEL, values)


@pytest.mark.parametrize("values", [[], None, "text", 3])
def test_what_is_no_record_is_refused(values: Any) -> None:
    with pytest.raises(RisbookError, match=r"the configuration is .*; it must be values by name"):
        from_values(Model, values)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(RisbookError, match=r"^name is missing; it must be text$"):
        from_values(Model, {})
    with pytest.raises(RisbookError, match=r"^name is missing; it must be text$"):
        Model()  # type: ignore[call-arg]


def test_constructors_refuse_in_the_same_words() -> None:
    with pytest.raises(
        RisbookError, match=r"^dim is 0; it must be a whole number from 1 to 65536$"
    ):
        Bridge(dim=0)
    with pytest.raises(RisbookError, match=r"^num_heads 3 does not divide dim 64$"):
        Bridge(num_heads=3)
    with pytest.raises(RisbookError, match=r"^dim is a number of thousands of digits; it must be"):
        Bridge(dim=10**5000)
    with pytest.raises(RisbookError, match="no 'colour'; it has dim"):
        Bridge(colour=3)  # type: ignore[call-arg]


def test_overrides_are_dotted_or_nested() -> None:
    dotted = with_overrides(MODEL, {"bridge.dim": 32, "options.rank": 4, "rates.head": 2.0})
    assert dotted.bridge == Bridge(dim=32)
    assert dotted.options == {"rank": 4}
    assert dotted.rates == {"bridge": 10, "head": 2}
    nested = with_overrides(MODEL, {"bridge": {"num_heads": 2}, "options": {"other": 1}})
    assert nested.bridge == Bridge(dim=8, num_heads=2)  # fields that are not named stay
    assert nested.options == {"other": 1}  # options are one value
    with pytest.raises(RisbookError, match=r"bridge\.dim is None"):
        with_overrides(MODEL, {"bridge.dim": None})
    for name in ("bridge.dim.low", "depth.low", "nothing.at.all", ".", "bridge.", ""):
        with pytest.raises(RisbookError):
            with_overrides(MODEL, {name: 1})


def test_old_names_are_read() -> None:
    old = {"name": "m", "bridge_width": 32, "bridge": {"num_heads": 2}, "bridge_rate": 10.0}
    model = from_values(Model, old, aliases=ALIASES)
    assert (model.bridge, model.rates) == (Bridge(dim=32, num_heads=2), {"bridge": 10})
    assert from_values(Model, {"name": "m", "bridge_rate": 1.0}, aliases=ALIASES).rates == {}
    assert with_overrides(MODEL, {"bridge_width": 32}, aliases=ALIASES).bridge.dim == 32
    with pytest.raises(RisbookError, match=r"is another name of bridge\.dim; give one"):
        with_overrides(MODEL, {"bridge_width": 32, "bridge.dim": 16}, aliases=ALIASES)
    with pytest.raises(RisbookError, match=r"is another name of bridge\.dim; give one"):
        values = {"name": "m", "bridge_width": 32, "bridge": {"dim": 16}}
        from_values(Model, values, aliases=ALIASES)
