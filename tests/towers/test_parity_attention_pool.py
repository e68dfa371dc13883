"""Attention pool and position tables equal what the released codes of ETRIS and DETRIS computed."""

import pytest
import torch
from parity import Recording
from torch import Tensor

from risbook.towers.attention_pool import AttentionPool
from risbook.towers.pos_embed import (
    CachedPosEmbed,
    resize_clip_pos_embed,
    resize_dinov2_pos_embed,
)


def recorded_pool(file: Recording) -> AttentionPool:
    """An attention pool with the recorded weights, loaded by name, none too many or too few."""
    weights = file.below("w.")
    rows, channels = weights["positional_embedding"].shape
    output = len(weights["c_proj.bias"])
    pool = AttentionPool(
        channels=channels, output_dim=output, num_heads=2, pos_grid=round((rows - 1) ** 0.5)
    )
    pool.load_state_dict(weights, strict=True)
    return pool.eval()


def test_parity_clip_table() -> None:
    file = Recording("etris/clip_vit_pos_resize.npz")
    assert set(file) == {"in.pos_embed_3x3_plus_cls", "out.pos_embed_5x5_plus_cls"}
    table = file["in.pos_embed_3x3_plus_cls"][None]
    wanted = file["out.pos_embed_5x5_plus_cls"][None]
    torch.testing.assert_close(resize_clip_pos_embed(table, (5, 5)), wanted, atol=1e-6, rtol=1e-5)
    dinov2 = resize_dinov2_pos_embed(table, (5, 5), prefix=1)
    assert not torch.allclose(dinov2, wanted, atol=1e-3)  # the test can tell the rules apart


SIZES = [(448, 448), (224, 224), (112, 112), (448, 336), (518, 518), (560, 560)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("prefix", [0, 1])
def test_parity_dinov2_table(size: tuple[int, int], prefix: int) -> None:
    file = Recording("detris/dino_pos_embed.npz")
    table = file["in/pos_embed"][:, 1 - prefix :]
    wanted = file[f"out/pos_{size[0]}x{size[1]}"][:, 1 - prefix :]
    grid = (size[0] // 14, size[1] // 14)
    resized = resize_dinov2_pos_embed(table, grid, prefix=prefix)
    torch.testing.assert_close(resized, wanted, atol=1e-6, rtol=1e-5)
    remembered = CachedPosEmbed(resize_dinov2_pos_embed, prefix=prefix)
    assert torch.equal(remembered(table, grid), resized)


@pytest.mark.parametrize("reduced", [False, True], ids=["fused", "written-out"])
def test_parity_attention_pool(reduced: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    file = Recording("etris/clip_attnpool.npz")
    if reduced:
        monkeypatch.setattr("risbook.towers.attention_pool.fused_is_faster", lambda like: False)
    pool = recorded_pool(file)
    recorded = {name for name in file if not name.startswith("w.")}
    assert recorded == {"in.x", "mid.pos_embed_resized", "out.eval"}
    features = file["in.x"]
    table = resize_clip_pos_embed(pool.positional_embedding[None], (4, 5))[:, 1:]
    wanted_table = file["mid.pos_embed_resized"].transpose(1, 2)
    torch.testing.assert_close(table, wanted_table, atol=1e-6, rtol=1e-5)
    wanted = file["out.eval"]
    for trained in (True, False):
        pool.positional_embedding.requires_grad_(trained)
        torch.testing.assert_close(pool(features), wanted, atol=1e-5, rtol=1e-5)


def test_parity_attention_pool_without_connect_lacks_just_that() -> None:
    file = Recording("etris/clip_attnpool.npz")
    full = recorded_pool(file)
    assert full.connect is not None
    plain = AttentionPool(channels=32, output_dim=12, num_heads=2, pos_grid=3, connect=False)
    names = plain.state_dict().keys()
    plain.load_state_dict({key: value for key, value in full.state_dict().items() if key in names})
    features = file["in.x"]
    dense: Tensor = plain(features)
    assert (dense < 0).any()
    together = torch.relu(dense + full.connect(features))
    wanted = file["out.eval"]
    torch.testing.assert_close(together, wanted, atol=1e-5, rtol=1e-5)
