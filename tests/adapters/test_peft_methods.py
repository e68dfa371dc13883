"""Every method on every tower: what it changes, what it tunes, and what learns."""

import copy
import re
from collections.abc import Iterable
from typing import Any

import pytest
import torch
from tiny_towers import (
    DEPTH,
    KINDS,
    OUTPUT,
    PATCH,
    POOL,
    TRANSFORMERS,
    WIDTH,
    answers,
    inputs,
    loss,
    make,
    near,
    same,
    tuned,
)
from torch import nn

from risbook.adapters import PEFT_METHODS, PEFTConfig, PEFTMethod, apply_peft
from risbook.adapters.peft.peft_methods import read_options
from risbook.config import from_values, to_values
from risbook.errors import ArgumentError, RisbookError

#: options that are not the defaults, so that the formulas below say something
OPTIONS: dict[str, dict[str, Any]] = {
    "houlsby": {"bottleneck_dim": 5},
    "parallel": {"bottleneck_dim": 6},
    "adaptformer": {"bottleneck_dim": 7},
    "prompts": {"num_prompts": 4},
    "prompts-deep": {"num_prompts": 3},
    "lora": {"r": 2},
}
EVERYWHERE = ("frozen", "full", "bitfit", "layer-norm", "lora")
PAIRS = [
    (method, kind)
    for method in PEFT_METHODS
    for kind in KINDS
    if kind in TRANSFORMERS or (method in EVERYWHERE and method != "layer-norm")
]
EACH = pytest.mark.parametrize(("method", "kind"), PAIRS)
LEARNING = pytest.mark.parametrize(("method", "kind"), [p for p in PAIRS if p[0] != "frozen"])


def tuned_tower(method: str, kind: str) -> Any:
    tower = make(kind)
    torch.manual_seed(3)
    return apply_peft(tower, method, **OPTIONS.get(method, {}))


def bottleneck(hidden: int) -> int:
    return 2 * WIDTH * hidden + hidden + WIDTH


def count(method: str, kind: str) -> int:
    """How many parameters a method tunes, worked out by hand."""
    if method == "frozen":
        return 0
    if kind == "resnet":
        # Each stage has one block of four convolutions, of 8, 8, 32 and 32 channels times a power
        # of two; the stem has three, of 4, 4 and 8 channels; connect's batch norm has OUTPUT.
        normed = 4 + 4 + 8 + sum(80 * 2**stage for stage in range(4)) + OUTPUT
        return {
            "bitfit": normed + 3 * POOL + OUTPUT,
            "lora": 2 * (3 * 2 * POOL + POOL + OUTPUT),
            "full": sum(parameter.numel() for parameter in make(kind).parameters()),
        }[method]
    norms = {"clip": 2, "dinov2": 1, "text": 1}[kind]  # outside of the blocks
    # A block: norms 2 C + 2 C; attention 4 C^2 + 4 C; MLP 8 C^2 + 5 C; LayerScale 2 C.
    block = 12 * WIDTH**2 + 13 * WIDTH + (2 * WIDTH if kind == "dinov2" else 0)
    outside = {
        "clip": 3 * PATCH**2 * WIDTH + (1 + 10) * WIDTH + WIDTH * OUTPUT,
        "dinov2": (3 * PATCH**2 + 1) * WIDTH + (1 + 4 + 9) * WIDTH,
        "text": (30 + 12) * WIDTH + WIDTH * OUTPUT,
    }[kind]
    return {
        "full": DEPTH * block + 2 * norms * WIDTH + outside,
        "houlsby": 2 * DEPTH * bottleneck(5),
        "parallel": 2 * DEPTH * bottleneck(6),
        "adaptformer": DEPTH * bottleneck(7),
        "bitfit": (11 * DEPTH + norms + (kind == "dinov2")) * WIDTH,
        "layer-norm": (4 * DEPTH + 2 * norms) * WIDTH,
        "prompts": 4 * WIDTH,
        "prompts-deep": 3 * DEPTH * WIDTH,
        "lora": (8 if kind == "text" else 6) * 2 * WIDTH * DEPTH,
    }[method]


@EACH
@torch.no_grad()
def test_the_tower_says_the_same_until_something_is_learned(method: str, kind: str) -> None:
    before, tower = answers(make(kind), kind), tuned_tower(method, kind)
    after = answers(tower, kind)
    assert [output.shape for output in after] == [output.shape for output in before]
    assert near(before, after) == (not method.startswith("prompts"))
    assert not any(module.training for module in tower.modules())


@EACH
def test_the_number_of_tuned_parameters(method: str, kind: str) -> None:
    tower = tuned_tower(method, kind)
    assert sum(parameter.numel() for parameter in tuned(tower).values()) == count(method, kind)
    added = sum(p.numel() for p in tower.parameters()) - sum(
        p.numel() for p in make(kind).parameters()
    )
    assert added == (count(method, kind) if method in OPTIONS else 0)


@LEARNING
def test_gradients_reach_exactly_what_is_tuned(method: str, kind: str) -> None:
    tower = tuned_tower(method, kind)
    with torch.no_grad():
        for parameter in tuned(tower).values():  # away from zero, where some gradients are zero
            parameter += 0.1 * torch.randn_like(parameter)
    loss(tower, kind).backward()
    reached = {name for name, p in tower.named_parameters() if p.grad is not None}
    assert reached == set(tuned(tower))
    for name, parameter in tuned(tower).items():
        if name.endswith("k_proj.bias"):  # softmax does not see it
            continue
        assert parameter.grad is not None
        assert parameter.grad.abs().max() > 0, name


@LEARNING
def test_one_step_is_kept_by_the_tuned_parameters_alone(method: str, kind: str) -> None:
    tower = tuned_tower(method, kind)
    before = answers(tower, kind)
    frozen = {n: p.clone() for n, p in tower.named_parameters() if not p.requires_grad}
    loss(tower, kind).backward()
    torch.optim.SGD(tuned(tower).values(), lr=1.0).step()
    after = answers(tower, kind)
    assert not same(before, after)
    assert all(tower.get_parameter(name).equal(value) for name, value in frozen.items())
    kept = {name: parameter.detach().clone() for name, parameter in tuned(tower).items()}
    other = tuned_tower(method, kind)
    assert not same(answers(other, kind), after)
    assert not other.load_state_dict(kept, strict=False).unexpected_keys
    assert near(answers(other, kind), after)


@EACH
def test_a_copy_is_one_of_its_own(method: str, kind: str) -> None:
    tower = tuned_tower(method, kind)
    twin = copy.deepcopy(tower)
    assert list(tuned(twin)) == list(tuned(tower))
    before = answers(tower, kind)
    assert near(answers(twin, kind), before)
    with torch.no_grad():
        for parameter in tuned(twin).values():
            parameter += 0.1
    assert near(answers(tower, kind), before)
    assert same(answers(twin, kind), before) == (method == "frozen")


@pytest.mark.parametrize("kind", TRANSFORMERS)
@pytest.mark.parametrize("method", ["houlsby", "adaptformer", "prompts-deep", "lora"])
def test_it_learns_in_bf16(method: str, kind: str) -> None:
    tower = tuned_tower(method, kind)
    with torch.autocast("cpu", torch.bfloat16):
        loss(tower, kind).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in tuned(tower).values())


@pytest.mark.parametrize("method", list(PEFT_METHODS))
def test_counting_needs_no_memory(method: str) -> None:
    """`meta` tensors have shapes alone: presets of any size can be counted."""
    with torch.device("meta"):
        tower = apply_peft(make("clip"), method, **OPTIONS.get(method, {}))
    assert all(parameter.is_meta for parameter in tower.parameters())
    assert sum(p.numel() for p in tuned(tower).values()) == count(method, "clip")


def test_bottlenecks_may_come_with_the_layer_norms() -> None:
    tower = apply_peft(make("clip"), "houlsby", bottleneck_dim=5, layer_norms=True)
    numbers = [p.numel() for p in tuned(tower).values()]
    assert sum(numbers) == count("houlsby", "clip") + count("layer-norm", "clip")
    apply_peft(tower, "frozen")
    assert not tuned(tower)


def test_adapters_come_to_the_tower_s_type() -> None:
    tower = apply_peft(make("clip").to(torch.float64), "houlsby", bottleneck_dim=2)
    assert {parameter.dtype for parameter in tower.parameters()} == {torch.float64}
    assert tower(inputs("clip").double()).maps[0].dtype == torch.float64


@pytest.mark.parametrize(
    "options", [{"bottleneck_dim": "x"}, {"bottleneck_dim": 2.5}, {"blocks": 3}, {"dropout": 3}]
)
def test_options_that_cannot_be_are_named(options: dict[str, Any]) -> None:
    [name] = options
    with pytest.raises(ArgumentError, match=f"^method .adaptformer. cannot work with {name}="):
        apply_peft(make("clip"), "adaptformer", **options)


def test_an_error_inside_a_method_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of somebody's adapter keeps its type and its traceback."""

    def broken(tower: nn.Module, *, rank: int = 4) -> None:
        tower.added = nn.Linear(rank, "8")

    monkeypatch.setitem(PEFT_METHODS, "broken", PEFTMethod(summary="a fault", function=broken))
    tower = make("clip")
    with pytest.raises(TypeError) as caught:
        apply_peft(tower, "broken")
    assert "broken" in [entry.name for entry in caught.traceback]
    assert not hasattr(tower, "added")
    assert all(parameter.requires_grad for parameter in tower.parameters())
    with pytest.raises(ArgumentError, match="rank='x'"):
        apply_peft(tower, "broken", rank="x")


def test_names_and_options_that_are_not_there() -> None:
    tower = make("clip")
    with pytest.raises(
        ArgumentError,
        match=r"^no method is called 'lorra'; did you mean 'lora'\? there are: froz",
    ):
        apply_peft(tower, "lorra")
    with pytest.raises(
        ArgumentError, match=r"^.*'houlsby' has no option 'width': .* bottleneck_dim, activ"
    ):
        apply_peft(tower, "houlsby", width=3)
    with pytest.raises(ArgumentError, match=r"^.*'bitfit' has no option 'rank': it has none"):
        apply_peft(tower, "bitfit", rank=3)
    with pytest.raises(
        ArgumentError, match=r"no option 'target_module': did you mean 'target_modules'"
    ):
        apply_peft(tower, "lora", target_module=["qkv"])
    with pytest.raises(ArgumentError, match=r"rank is another name of r; give one"):
        apply_peft(tower, "lora", r=3, rank=3)
    with pytest.raises(
        ArgumentError, match=r"tower='image' is for a system on two towers, not for Im"
    ):
        apply_peft(tower, "lora", tower="image")
    for name in (None, 3, ["lora"]):
        with pytest.raises(ArgumentError, match=rf"^no method is called {re.escape(repr(name))}; "):
            apply_peft(tower, name)
    assert all(parameter.requires_grad for parameter in tower.parameters())  # nothing was done


@pytest.mark.parametrize("method", [name for name in PEFT_METHODS if name not in EVERYWHERE])
def test_methods_that_need_blocks_say_so(method: str) -> None:
    message = rf"^method '{method}' works on TransformerTower, not on CLIPRes"
    with pytest.raises(ArgumentError, match=message + r".*frozen, full, bitfit, layer-norm, lora$"):
        apply_peft(make("resnet"), method)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("houlsby", {"bottleneck_dim": 0}, "bottleneck_dim is 0"),
        ("houlsby", {"activation": "swish"}, 'no activation "swish": choose relu, gelu'),
        ("parallel", {"blocks": (0, 3)}, "no block 3 .*the blocks 0 to 2$"),
        ("parallel", {"branches": ("norm",)}, r"method 'parallel' cannot work with branches="),
        ("prompts", {"num_prompts": 0}, "0 prompts: there has to be at least one"),
        ("lora", {"r": 0}, "r is 0"),
    ],
)
def test_options_that_cannot_be(method: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(RisbookError, match=f"^{message}"):
        apply_peft(make("clip"), method, **options)


@pytest.mark.parametrize(
    ("method", "old", "options"),
    [
        ("lora", {"rank": 3, "alpha": 6.0}, {"r": 3, "lora_alpha": 6.0}),
        ("lora", {"dropout": 0.1}, {"lora_dropout": 0.1}),
        ("prompts", {"count": 3}, {"num_prompts": 3}),
        ("houlsby", {"hidden": 3}, {"bottleneck_dim": 3}),
        ("adaptformer", {"dropout": 0.2}, {"dropout": 0.2}),
    ],
)
def test_earlier_names_of_options_are_read(
    method: str, old: dict[str, Any], options: dict[str, Any]
) -> None:
    assert read_options(method, old) == read_options(method, options) == options
    assert PEFTConfig(method=method, options=old) == PEFTConfig(method=method, options=options)
    first, second = (apply_peft(make("clip"), method, **given) for given in (old, options))
    shapes = {name: parameter.shape for name, parameter in tuned(first).items()}
    assert shapes == {name: parameter.shape for name, parameter in tuned(second).items()}


def test_the_table_tells_options_and_sources() -> None:
    assert PEFT_METHODS["adaptformer"].options == {
        "bottleneck_dim": 64,
        "activation": "relu",
        "scale": 0.1,
        "dropout": 0.1,
        "branches": ("mlp",),
        "blocks": None,
        "layer_norms": False,
    }
    assert PEFT_METHODS["frozen"].options == {}
    for method in PEFT_METHODS.values():
        assert method.summary and "\n" not in method.summary


def test_any_module_can_be_frozen_or_tuned() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    assert len(tuned(apply_peft(module, "full"))) == 4
    assert set(tuned(apply_peft(module, "bitfit"))) == {"0.bias", "1.bias"}
    assert not tuned(apply_peft(module, "frozen"))
    with pytest.raises(ArgumentError, match="Sequential has no layer norm to tune"):
        apply_peft(module, "layer-norm")
    module.append(nn.LayerNorm(3))
    assert set(tuned(apply_peft(module, "layer-norm"))) == {"2.weight", "2.bias"}


def test_options_may_be_ranges() -> None:
    tower = apply_peft(make("clip"), "houlsby", blocks=range(1, 2), bottleneck_dim=2)
    assert all(site.startswith("1_") for site in tower.adapters) and len(tower.adapters) == 2


def test_options_have_the_types_of_their_annotations(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def add(
        tower: nn.Module,
        *,
        ranks: tuple[int, ...] = (4,),
        blocks: Iterable[int] = (0,),
        gate: str | nn.Module = "tanh",
    ) -> None:
        given.update(ranks=ranks, blocks=blocks, gate=gate)

    monkeypatch.setitem(PEFT_METHODS, "several", PEFTMethod(summary="ranks", function=add))
    for ranks in ((4, 8), [4, 8], range(4, 12, 4)):
        apply_peft(make("clip"), "several", ranks=ranks, blocks=(1, 2), gate="relu")
        assert given == {"ranks": (4, 8), "blocks": [1, 2], "gate": "relu"}
        config = PEFTConfig(method="several", options={"ranks": ranks})
        assert from_values(PEFTConfig, to_values(config)) == config
    for options in ({"ranks": (4, "8")}, {"blocks": ["a"]}, {"gate": nn.ReLU()}):
        [name] = options
        with pytest.raises(ArgumentError, match=f"^method 'several' cannot work with {name}="):
            apply_peft(make("clip"), "several", **options)


class TunedByItself(nn.Module):
    """A module of another library that has a method called apply_peft."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def apply_peft(self, rank: int) -> None:
        raise AssertionError("not ours to call")


def test_a_method_of_another_library_is_not_called() -> None:
    model = apply_peft(TunedByItself(), "bitfit")
    assert [parameter.requires_grad for parameter in model.parameters()] == [False, True]
