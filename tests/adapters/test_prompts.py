"""Prompts: where they stand, what they leave alone, and that deep ones are renewed."""

from typing import Any

import pytest
import torch
from tiny_towers import DEPTH, TRANSFORMERS, WIDTH, answers, inputs, make, same
from torch import Tensor

from risbook.errors import ArgumentError

EACH = pytest.mark.parametrize("kind", TRANSFORMERS)
DEEP = pytest.mark.parametrize("deep", [False, True], ids=["shallow", "deep"])
IMAGES = pytest.mark.parametrize("kind", ["clip", "dinov2"])


def prompted(kind: str, *, deep: bool = False, count: int = 2) -> Any:
    tower = make(kind)
    torch.manual_seed(3)
    tower.add_prompts(count, deep=deep)
    return tower


def embedded(tower: Any, kind: str) -> Tensor:
    states = tower.embed(inputs(kind))
    result: Tensor = states if kind == "text" else states[0]
    return result


@EACH
@DEEP
@torch.no_grad()
def test_prompts_stand_behind_the_first_tokens(kind: str, deep: bool) -> None:
    plain, tower = make(kind), prompted(kind, deep=deep)
    first = {"clip": 1, "dinov2": 5, "text": 1}[kind]
    before, after = embedded(plain, kind), embedded(tower, kind)
    assert tower.prompts.shape == (DEPTH if deep else 1, 2, WIDTH)
    assert after.shape[1] == before.shape[1] + 2
    assert after[:, :first].equal(before[:, :first])
    assert after[:, first : first + 2].equal(tower.prompts[:1].expand(2, -1, -1))
    assert after[:, first + 2 :].equal(before[:, first:])
    assert tower.drop_prompts(after).equal(before)


@IMAGES
@DEEP
@torch.no_grad()
def test_maps_are_those_of_the_patches(kind: str, deep: bool) -> None:
    plain, tower = make(kind), prompted(kind, deep=deep)
    assert tower.num_extra_tokens == plain.num_extra_tokens + 2
    tokens, grid = tower.embed(inputs(kind))
    assert grid == (3, 5)
    assert tower.tokens_to_map(tokens, grid).equal(plain.tokens_to_map(*plain.embed(inputs(kind))))
    assert tower.replace_patches(tokens, tower.tokens_to_map(tokens, grid)).equal(tokens)
    assert [feature_map.shape for feature_map in tower(inputs(kind)).maps] == [
        feature_map.shape for feature_map in plain(inputs(kind)).maps
    ]
    assert tower.pooled(inputs(kind)).shape == plain.pooled(inputs(kind)).shape


@EACH
@torch.no_grad()
def test_deep_prompts_are_renewed_before_every_block(kind: str) -> None:
    tower = prompted(kind, deep=True)
    before = answers(tower, kind)
    x = tower.forward_blocks(embedded(tower, kind), 0, 1)
    first = tower.num_prefix_tokens
    other = x.clone()
    other[:, first : first + 2] = 7.0  # what the first block makes of its prompts is not used
    assert tower.forward_blocks(other, 1).equal(tower.forward_blocks(x, 1))
    for row in range(DEPTH):
        tower.prompts[row] += 0.5
        changed = answers(tower, kind)
        assert not same(before, changed)
        before = changed


@EACH
@torch.no_grad()
def test_shallow_prompts_are_left_to_the_blocks(kind: str) -> None:
    tower = prompted(kind)
    x = tower.forward_blocks(embedded(tower, kind), 0, 1)
    first = tower.num_prefix_tokens
    other = x.clone()
    other[:, first : first + 2] = 7.0
    changed = tower.drop_prompts(tower.forward_blocks(other, 1)) - tower.drop_prompts(
        tower.forward_blocks(x, 1)
    )
    assert changed.abs().max() > 1e-3


@DEEP
@torch.no_grad()
def test_words_stay_aligned_with_their_ids(deep: bool) -> None:
    plain, tower = make("text"), prompted("text", deep=deep)
    ids = inputs("text")
    before, after = plain(ids), tower(ids)
    assert after.text_tokens.shape == before.text_tokens.shape
    assert after.key_padding_mask.equal(before.key_padding_mask)
    # The start token reads nothing but itself, every later one reads the prompts.
    torch.testing.assert_close(after.text_tokens[:, 0], before.text_tokens[:, 0])
    assert (after.text_tokens[:, 1:] - before.text_tokens[:, 1:]).abs().amax(dim=-1).min() > 1e-5
    # The sentence is read at the end token, places 3 and 5.
    ends = torch.stack([after.text_tokens[0, 3], after.text_tokens[1, 5]])
    torch.testing.assert_close(after.sentence_embedding, ends @ tower.projection)
    # Still no word sees a later one.
    other = ids.clone()
    other[1, 4] = 11
    torch.testing.assert_close(tower(other).text_tokens[1, :4], after.text_tokens[1, :4])
    assert not torch.allclose(tower(other).text_tokens[1, 4:], after.text_tokens[1, 4:], atol=1e-3)


@torch.no_grad()
def test_no_sentence_becomes_too_long() -> None:
    tower = prompted("text", count=20)
    longest = torch.tensor([[28, *range(1, 11), 29]])
    assert longest.shape[1] == tower.context_length
    assert tower(longest).text_tokens.shape == (1, tower.context_length, WIDTH)


@EACH
def test_new_prompts_are_small_and_differ(kind: str) -> None:
    tower = prompted(kind, deep=True, count=50)
    prompts = tower.prompts.detach()
    if kind == "text":
        assert 0.018 < prompts.std() < 0.022
    else:
        bound = (6 / (3 * tower.patch_size**2 + WIDTH)) ** 0.5
        assert 0.9 * bound < prompts.abs().max() <= bound
    assert len(prompts.flatten(0, 1).unique(dim=0)) == 50 * DEPTH


@EACH
def test_prompts_that_cannot_be(kind: str) -> None:
    tower = make(kind)
    with pytest.raises(ArgumentError, match=r"^0 prompts: there has to be at least one$"):
        tower.add_prompts(0)
    tower.add_prompts(3)
    with pytest.raises(ArgumentError, match=r"^this tower already has 3 prompts"):
        tower.add_prompts(1)
