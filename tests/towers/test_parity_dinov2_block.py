"""DINOv2's blocks and tower equal what the released codes of DETRIS, MiCA and TALENT computed."""

from typing import Any

import pytest
import torch
from official_towers import (
    Weights,
    dense_aligner,
    dinov2_block,
    dinov2_tower,
    without_adapters,
)
from parity import Recording, assert_near, below
from torch import Tensor

from risbook.towers.image_transformer import ImageTransformer


def one_block(weights: Weights, *, heads: int) -> ImageTransformer:
    """A tower whose only block has the recorded weights."""
    width = len(weights["norm1.weight"])
    tower = ImageTransformer(
        kind="dinov2", width=width, depth=1, heads=heads, patch=14, table=6, registers=4, taps=(1,)
    )
    tower.blocks[0].load_state_dict(dinov2_block(without_adapters(weights), ""), strict=True)
    return tower.eval().requires_grad_(False)


def run_adapted(block: Any, x: Tensor, text: Tensor, adapter: Weights, heads: int) -> Tensor:
    """One block with a Dense Aligner: it reads what the MLP reads, below the same LayerScale."""
    x = x + block.ls1(block.attn(block.norm1(x)))
    normed = block.norm2(x)
    branch = block.mlp(normed)
    branch = branch + 0.2 * dense_aligner(adapter, normed, text, heads=heads)
    adapted: Tensor = x + block.ls2(branch)
    return adapted


@pytest.mark.parametrize("kit", ["mica/vision_block.npz", "talent/vision_block.npz"])
def test_parity_plain_block(kit: str) -> None:
    file = Recording(kit)
    tower = one_block(file.below("sd/"), heads=4)
    assert_near(tower.run(file["in/x"]), file["out/eval_plain"])


def test_parity_block_with_dense_aligner() -> None:
    file = Recording("detris/dino_block_da_small.npz")
    weights = file.below("sd/")
    block = one_block(weights, heads=4).blocks[0]
    x = run_adapted(block, file["in/x"], file["in/text"], below(weights, "adapter."), heads=4)
    assert_near(x, file["out/eval"])


@pytest.mark.parametrize("kit", ["mica/towers_small.npz", "talent/towers_small.npz"])
def test_parity_first_tap(kit: str) -> None:
    """From pixels to the map after the first block, which neither system adapts."""
    file = Recording(kit)
    tower = dinov2_tower(file.below("sd/dinov2."), heads=4)
    assert_near(tower(file["in/img"]).maps[0], file["out/eval_vis0"])


def test_parity_whole_tower() -> None:
    """From pixels to all three maps of DETRIS, adapters put in between the tower's own parts."""
    file = Recording("detris/full_small.npz")
    weights = file.below("sd/dinov2.")
    # not of the tower: the vector that stood for hidden patches while it was trained
    tower = dinov2_tower({k: v for k, v in weights.items() if k != "mask_token"}, heads=4)
    tokens, grid = tower.embed(file["in/img"])
    assert grid == (8, 8)
    maps = []
    for number, block in enumerate(tower.blocks):
        adapter = below(weights, f"blocks.{number}.adapter.")
        if adapter:
            tokens = run_adapted(block, tokens, file["out/eval_txt"], adapter, heads=4)
        else:
            tokens = tower.run(tokens, number, number + 1)
        maps.append(tower.to_map(tokens, grid))
    assert_near(maps[1], file["out/eval_vis0"])
    assert_near(maps[2], file["out/eval_vis1"])
    assert_near(tower.to_map(tower.finish(tokens), grid), file["out/eval_vis2"])
    # The comparison can fail: without the adapters the answer is another one.
    assert not torch.allclose(tower(file["in/img"]).maps[-1], file["out/eval_vis2"], atol=1e-2)
