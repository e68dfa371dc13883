"""The places for adapters in the two transformer towers, and the bottlenecks that stand there."""

import copy
from typing import Any

import pytest
import torch
from tiny_towers import DEPTH, TRANSFORMERS, WIDTH, answers, inputs, make, near, same, saved, tuned
from torch import Tensor, nn

from risbook.adapters import Bottleneck, Parallel, Serial, apply_peft
from risbook.errors import ArgumentError
from risbook.towers.sites import BRANCHES, Branch, Site
from risbook.towers.text_transformer import causal_mask

EACH = pytest.mark.parametrize("kind", TRANSFORMERS)


class Note(nn.Module):
    """Adds nothing; remembers what it was given."""

    def forward(self, site: Site) -> Tensor:
        self.site = site
        return site.scale(site.out)


class Learned(Note):
    """Adds a number that learns; remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, site: Site) -> Tensor:
        return super().forward(site) + self.shift


class Instead(nn.Module):
    """Adds something else than the branch would."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, site: Site) -> Tensor:
        return torch.full_like(site.out, self.value)


def embedded(tower: Any, kind: str) -> Tensor:
    states = tower.embed(inputs(kind))
    result: Tensor = states if kind == "text" else states[0]
    return result


def own_branches(tower: Any, kind: str, number: int, x: Tensor) -> dict[str, Tensor]:
    """What the two branches of a block add, from the block's own parts."""
    block = tower.blocks[number]
    if kind == "text":
        mask = causal_mask(x.shape[1], x.device, x.dtype)
        attention = block.self_attn(block.layer_norm1(x), attention_mask=mask)[0]
        mlp = block.mlp(block.layer_norm2(x + attention))
    else:
        attention = block.ls1(block.attn(block.norm1(x)))
        mlp = block.ls2(block.mlp(block.norm2(x + attention)))
    return {"attention": attention, "mlp": mlp}


@EACH
@torch.no_grad()
def test_a_block_is_the_sum_of_its_two_branches(kind: str) -> None:
    tower = make(kind)
    x = embedded(tower, kind)
    theirs = own_branches(tower, kind, 1, x)
    attention = tower.forward_branch(1, "attention", x)
    mlp = tower.forward_branch(1, "mlp", x + attention)
    torch.testing.assert_close(attention, theirs["attention"])
    torch.testing.assert_close(mlp, theirs["mlp"])
    torch.testing.assert_close(tower.forward_blocks(x, 1, 2), x + attention + mlp)


@EACH
@torch.no_grad()
def test_an_adapter_sees_the_tokens_and_what_the_branch_adds(kind: str) -> None:
    tower = make(kind)
    notes = {branch: Note() for branch in BRANCHES}
    plain = answers(tower, kind)
    for branch, note in notes.items():
        tower.add_adapter(1, branch, note)
    assert near(plain, answers(tower, kind))
    x = tower.forward_blocks(embedded(tower, kind), 0, 1)
    theirs = own_branches(tower, kind, 1, x)
    assert notes["attention"].site.x.equal(x)
    torch.testing.assert_close(notes["mlp"].site.x, x + theirs["attention"])
    for branch, note in notes.items():
        torch.testing.assert_close(note.site.scale(note.site.out), theirs[branch])


@EACH
@torch.no_grad()
def test_what_an_adapter_returns_is_added_instead(kind: str) -> None:
    tower = make(kind)
    x = embedded(tower, kind)
    tower.add_adapter(2, "attention", Instead(0.0))
    tower.add_adapter(2, "mlp", Instead(0.5))
    assert tower.forward_blocks(x, 2, 3).equal(x + 0.5)
    assert tower.forward_blocks(x, 0, 2).equal(make(kind).forward_blocks(x, 0, 2))


@EACH
def test_a_tower_without_adapters_has_nothing_new(kind: str) -> None:
    tower = make(kind)
    assert not any(key.startswith(("attached", "prompts")) for key in tower.state_dict())
    assert len(tower.adapters) == 0 and tower.prompts is None


@EACH
def test_places_that_are_not_there_or_taken(kind: str) -> None:
    tower = make(kind)
    for block in (-1, DEPTH):
        with pytest.raises(
            ArgumentError, match=rf"^no block {block} .* the blocks 0 to {DEPTH - 1}$"
        ):
            tower.add_adapter(block, "mlp", Note())
    with pytest.raises(
        ArgumentError, match=r'^no branch "norm" in a block: choose attention or mlp$'
    ):
        tower.add_adapter(0, "norm", Note())
    tower.add_adapter(0, "mlp", Note())
    tower.add_adapter(0, "attention", Note())
    with pytest.raises(
        ArgumentError, match=r"^block 0 already has an adapter at its mlp branch \(No"
    ):
        tower.add_adapter(0, "mlp", Note())


@EACH
def test_no_graph_below_the_first_adapter(kind: str) -> None:
    tower = apply_peft(make(kind), "parallel", bottleneck_dim=3, blocks=(DEPTH - 1,))
    x = embedded(tower, kind)
    below: list[Tensor] = []
    assert saved(lambda: below.append(tower.forward_blocks(x, 0, DEPTH - 1))) == 0
    assert not x.requires_grad and not below[0].requires_grad
    above: list[Tensor] = []
    assert saved(lambda: above.append(tower.forward_blocks(below[0], DEPTH - 1, DEPTH))) > 0
    assert above[0].requires_grad
    with torch.no_grad():
        assert saved(lambda: tower(inputs(kind))) == 0


@EACH
@pytest.mark.parametrize("branch", BRANCHES)
def test_the_frozen_branch_below_an_adapter_is_not_in_the_graph(kind: str, branch: Branch) -> None:
    tower, adapter = make(kind).requires_grad_(False), Learned()
    tower.add_adapter(2, branch, adapter)
    assert answers(tower, kind)[0 if kind == "text" else -1].requires_grad
    assert not adapter.site.x.requires_grad and not adapter.site.out.requires_grad


def test_the_bottleneck_by_hand() -> None:
    bottleneck = Bottleneck(embed_dim=2, bottleneck_dim=1, activation="relu", scale=0.5)
    x, out = torch.tensor([[[1.0, 2.0], [-1.0, 0.0]]]), torch.tensor([[[9.0, -9.0], [5.0, 5.0]]])
    assert bottleneck(x).equal(torch.zeros_like(x))
    assert bottleneck.down.weight.abs().min() > 0
    with torch.no_grad():
        bottleneck.down.weight.copy_(torch.tensor([[1.0, 3.0]]))
        bottleneck.up.weight.copy_(torch.tensor([[2.0], [-4.0]]))
        bottleneck.up.bias.copy_(torch.tensor([0.0, 1.0]))
    # relu(1 + 6) = 7 and relu(-1) = 0; times (2, -4), plus (0, 1), times a half
    change = torch.tensor([[[7.0, -13.5], [0.0, 0.5]]])
    assert bottleneck(x).equal(change)
    site = Site(x, x, out, scale=nn.Identity())
    assert Parallel(bottleneck)(site).equal(out + change)
    # relu(9 - 27) = 0 and relu(5 + 15) = 20
    assert Serial(bottleneck)(site).equal(out + torch.tensor([[[0.0, 0.5], [20.0, -39.5]]]))


def test_dropout_drops_only_while_training() -> None:
    tower = apply_peft(make("clip"), "adaptformer", bottleneck_dim=8, dropout=0.5)
    with torch.no_grad():
        for parameter in tuned(tower).values():
            parameter += 0.5
    assert near(answers(tower, "clip"), answers(tower, "clip"))
    tower.train()
    assert not same(answers(tower, "clip"), answers(tower, "clip"))


def test_adaptformer_is_parallel_beside_the_mlp_at_a_tenth() -> None:
    tower = apply_peft(make("dinov2"), "adaptformer", bottleneck_dim=4)
    other = apply_peft(make("dinov2"), "parallel", bottleneck_dim=4, branches=("mlp",), scale=0.1)
    assert list(tower.adapters) == [f"{number}_mlp" for number in range(DEPTH)]
    with torch.no_grad():
        for parameter in tuned(tower).values():
            parameter.normal_()
    other.load_state_dict(tower.state_dict(), strict=True)
    assert near(answers(tower, "dinov2"), answers(other, "dinov2"))
    with torch.no_grad():
        assert not same(answers(tower, "dinov2"), answers(make("dinov2"), "dinov2"))


def test_methods_can_be_put_together() -> None:
    """What was tuned before is frozen by the next method, unless it is put there by hand."""
    tower = apply_peft(make("clip"), "prompts", num_prompts=2)
    tower.add_adapter(0, "mlp", Parallel(Bottleneck(embed_dim=WIDTH, bottleneck_dim=2)))
    assert len(tuned(tower)) == 5
    assert len(tuned(copy.deepcopy(tower))) == 5
    assert set(tuned(apply_peft(tower, "houlsby", blocks=(1,), branches=("mlp",)))) == {
        f"adapters.1_mlp.adapter.{name}"
        for name in ("down.weight", "down.bias", "up.weight", "up.bias")
    }
