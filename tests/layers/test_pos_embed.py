"""Position tables on other grids: shapes, and the two rules."""

import pytest
import torch
from torch import Tensor

from risbook.errors import DataError
from risbook.layers.pos_embed import (
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
