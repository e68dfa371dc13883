"""Position tables on other grids: shapes, the two rules, and what is remembered."""

import copy
import pickle

import pytest
import torch
from torch import Tensor

from risbook.errors import DataError
from risbook.towers.pos_embed import (
    CachedPosEmbed,
    pos_grid_side,
    resize_clip_pos_embed,
    resize_dinov2_pos_embed,
)

RULES = [resize_clip_pos_embed, resize_dinov2_pos_embed]


def a_table(*, side: int = 4, prefix: int = 1, channels: int = 3) -> Tensor:
    return torch.randn(1, prefix + side**2, channels, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("prefix", [0, 1])
@pytest.mark.parametrize("grid", [(4, 4), (2, 2), (3, 7), (9, 1), (8, 2)])
def test_any_grid_and_prefix_rows_as_they_are(rule, prefix, grid) -> None:  # type: ignore[no-untyped-def]
    table = a_table(prefix=prefix)
    resized = rule(table, grid, prefix=prefix)
    assert resized.shape == (1, prefix + grid[0] * grid[1], 3)
    assert torch.equal(resized[:, :prefix], table[:, :prefix])
    if grid == (4, 4):
        assert torch.equal(resized, table)
    else:
        assert not torch.equal(resized[:, prefix : prefix + 2], table[:, prefix : prefix + 2])


@pytest.mark.parametrize("rule", RULES)
def test_rows_and_columns_are_not_swapped(rule) -> None:  # type: ignore[no-untyped-def]
    table = torch.arange(4.0).repeat(4).reshape(1, 16, 1)  # grows from left to right
    resized = rule(table, (3, 8), prefix=0).reshape(3, 8)
    assert torch.allclose(resized[0], resized[2], atol=1e-6)
    assert resized[0, 0] < resized[0, 3] < resized[0, 7]


def test_the_two_rules_differ_by_a_hair() -> None:
    table = a_table(side=37, prefix=0)
    clip = resize_clip_pos_embed(table, (32, 32), prefix=0)
    dino = resize_dinov2_pos_embed(table, (32, 32), prefix=0)
    assert 1e-3 < (clip - dino).abs().max() < 1.0


def test_every_grid_of_a_large_table_comes_out() -> None:
    table = a_table(side=37, prefix=0, channels=1)
    for side in range(1, 80):
        assert resize_dinov2_pos_embed(table, (side, 80 - side)).shape[1] == side * (80 - side)


@pytest.mark.parametrize("rule", RULES)
def test_half_precision_is_resized_in_single(rule) -> None:  # type: ignore[no-untyped-def]
    table = a_table().bfloat16()
    resized = rule(table, (6, 6), prefix=1)
    assert resized.dtype == torch.bfloat16
    exact = rule(table.float(), (6, 6), prefix=1)
    assert torch.equal(resized, exact.bfloat16())


@pytest.mark.parametrize("shape", [(1, 10, 3), (9, 3), (2, 9, 3), (1, 0, 3)])
def test_a_table_of_another_shape_is_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="position embeddings of shape"):
        pos_grid_side(torch.zeros(shape), prefix=0)


def count(rule):  # type: ignore[no-untyped-def]
    """The rule and a list that grows with each call of it."""
    calls = []

    def counted(table: Tensor, grid: tuple[int, int], *, prefix: int) -> Tensor:
        calls.append(grid)
        return rule(table, grid, prefix=prefix)

    return counted, calls


def test_a_frozen_table_is_resized_once_a_grid() -> None:
    rule, calls = count(resize_clip_pos_embed)
    remembered, table = CachedPosEmbed(rule, prefix=1), a_table()
    for grid in [(2, 2), (3, 5), (2, 2), (3, 5)]:
        assert torch.equal(remembered(table, grid), resize_clip_pos_embed(table, grid))
    assert calls == [(2, 2), (3, 5)]
    assert torch.equal(remembered(table[0], (2, 2)), resize_clip_pos_embed(table, (2, 2)))


def test_a_changed_or_replaced_table_is_resized_again() -> None:
    remembered, table = CachedPosEmbed(resize_clip_pos_embed, prefix=1), a_table()
    remembered(table, (2, 2))
    table.mul_(2)
    assert torch.equal(remembered(table, (2, 2)), resize_clip_pos_embed(table, (2, 2)))
    other = table + 1
    assert torch.equal(remembered(other, (2, 2)), resize_clip_pos_embed(other, (2, 2)))
    assert remembered(other.double(), (2, 2)).dtype == torch.float64


def test_a_trained_table_gets_its_gradient_and_is_never_remembered() -> None:
    rule, calls = count(resize_dinov2_pos_embed)
    remembered, table = CachedPosEmbed(rule, prefix=1), a_table().requires_grad_()
    for _ in range(2):
        remembered(table, (2, 3)).sum().backward()
    with torch.no_grad():
        remembered(table, (2, 3))
    assert calls == [(2, 3)] * 3
    assert table.grad is not None
    assert table.grad.abs().sum() > 0


def test_what_inference_mode_computed_serves_training() -> None:
    remembered, table = CachedPosEmbed(resize_clip_pos_embed, prefix=1), a_table()
    with torch.inference_mode():
        remembered(table, (2, 2))
    assert not remembered(table, (2, 2)).is_inference()


def test_the_memory_is_neither_copied_nor_saved_nor_endless() -> None:
    rule, calls = count(resize_clip_pos_embed)
    remembered, table = CachedPosEmbed(rule, prefix=1, limit=2), a_table()
    for grid in [(1, 1), (2, 2), (3, 3), (1, 1)]:
        remembered(table, grid)
    assert len(calls) == 4
    copied = copy.deepcopy(remembered)
    copied(table, (1, 1))
    assert len(calls) == 5
    plain = CachedPosEmbed(resize_clip_pos_embed, prefix=1)
    plain(table, (2, 2))
    empty = CachedPosEmbed(resize_clip_pos_embed, prefix=1)
    assert len(pickle.dumps(plain)) == len(pickle.dumps(empty))
