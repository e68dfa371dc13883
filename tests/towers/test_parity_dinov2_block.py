"""DINOv2's blocks and tower equal what the released codes of DETRIS, MiCA and TALENT computed."""

import pytest
import torch
from official_towers import (
    Weights,
    dinov2_block,
    dinov2_tower,
    recorded_aligner,
    without_adapters,
)
from parity import Recording, assert_near, below

from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.stages import StageContext


def one_block(weights: Weights, *, heads: int) -> ImageTransformer:
    """A tower whose only block has the recorded weights."""
    width = len(weights["norm1.weight"])
    tower = ImageTransformer(
        style="dinov2",
        embed_dim=width,
        depth=1,
        num_heads=heads,
        patch_size=14,
        pos_grid=6,
        num_registers=4,
        out_indices=(0,),
    )
    tower.blocks[0].load_state_dict(dinov2_block(without_adapters(weights), ""), strict=True)
    return tower.eval().requires_grad_(False)


@pytest.mark.parametrize("kit", ["mica/vision_block.npz", "talent/vision_block.npz"])
def test_parity_plain_block(kit: str) -> None:
    file = Recording(kit)
    tower = one_block(file.below("sd/"), heads=4)
    assert_near(tower.forward_blocks(file["in/x"]), file["out/eval_plain"])


def test_parity_block_with_dense_aligner() -> None:
    file = Recording("detris/dino_block_da_small.npz")
    weights = file.below("sd/")
    tower = one_block(weights, heads=4)
    tower.add_adapter(0, "mlp", recorded_aligner(below(weights, "adapter."), num_heads=4))
    context = StageContext(text_tokens=file["in/text"])
    out = tower.forward_blocks(file["in/x"], context=context, grid=(6, 6))
    assert_near(out, file["out/eval"])


@pytest.mark.parametrize("kit", ["mica/towers_small.npz", "talent/towers_small.npz"])
def test_parity_first_tap(kit: str) -> None:
    """From pixels to the map after the first block, which neither system adapts."""
    file = Recording(kit)
    tower = dinov2_tower(file.below("sd/dinov2."), heads=4, out_indices=(0, 3))
    assert_near(tower(file["in/img"]).maps[0], file["out/eval_vis0"])


def test_parity_whole_tower() -> None:
    """From pixels to all three maps of DETRIS, with the recorded adapters at their sites."""
    file = Recording("detris/full_small.npz")
    weights = file.below("sd/dinov2.")
    # not of the tower: the mask token of its pretraining
    weights = {k: v for k, v in weights.items() if k != "mask_token"}
    tower = dinov2_tower(weights, heads=4, out_indices=(1, 2, 3))
    plain = tower(file["in/img"]).maps[-1]
    for number in range(len(tower.blocks)):
        if adapter := below(weights, f"blocks.{number}.adapter."):
            tower.add_adapter(number, "mlp", recorded_aligner(adapter, num_heads=4))
    maps = tower(file["in/img"], context=StageContext(file["out/eval_txt"])).maps
    for number, features in enumerate(maps):
        assert_near(features, file[f"out/eval_vis{number}"])
    # The comparison can fail: without the adapters the map is another one.
    assert not torch.allclose(plain, file["out/eval_vis2"], atol=1e-2)
