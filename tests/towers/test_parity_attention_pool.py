"""Attention pool and position tables equal what the released codes of ETRIS and DETRIS computed."""

import pytest
import torch
from parity import Recording
from recorded_sizes import side_of
from torch import Tensor

from risbook.layers.pos_embed import (
    resize_clip_pos_embed,
    resize_dinov2_pos_embed,
)
from risbook.towers.attention_pool import AttentionPool


def recorded_pool(file: Recording, *, connect: bool = True) -> AttentionPool:
    """An attention pool with the recorded weights, loaded by name, none too many or too few."""
    weights = file.below("w.")
    if not connect:
        weights = {k: v for k, v in weights.items() if not k.startswith("connect.")}
    channels = weights["positional_embedding"].shape[1]
    output_dim = len(weights["c_proj.bias"])
    pos_grid = side_of(weights["positional_embedding"])
    pool = AttentionPool(
        embed_dim=channels, output_dim=output_dim, num_heads=2, pos_grid=pos_grid, connect=connect
    )
    pool.load_state_dict(weights, strict=True)
    return pool.eval()


def test_parity_clip_table() -> None:
    file = Recording("etris/clip_vit_pos_resize.npz")
    given, resized = sorted(file)
    assert given.startswith("in.pos_embed_") and resized.startswith("out.pos_embed_")
    table, wanted = file[given][None], file[resized][None]
    grid = (side_of(wanted[0]), side_of(wanted[0]))
    torch.testing.assert_close(resize_clip_pos_embed(table, grid), wanted, atol=1e-6, rtol=1e-5)
    dinov2 = resize_dinov2_pos_embed(table, grid, prefix=1)
    assert not torch.allclose(dinov2, wanted, atol=1e-3)  # the test can tell the rules apart


@pytest.mark.parametrize("prefix", [0, 1])
@pytest.mark.parametrize(
    "name", [name for name in Recording("detris/dino_pos_embed.npz") if name.startswith("out/")]
)
def test_parity_dinov2_table(name: str, prefix: int) -> None:
    file = Recording("detris/dino_pos_embed.npz")
    table = file["in/pos_embed"][:, 1 - prefix :]
    wanted = file[name][:, 1 - prefix :]
    height, width = (int(side) for side in name.removeprefix("out/pos_").split("x"))
    grid = (height // 14, width // 14)
    resized = resize_dinov2_pos_embed(table, grid, prefix=prefix)
    torch.testing.assert_close(resized, wanted, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("reduced", [False, True], ids=["fused", "written-out"])
def test_parity_attention_pool(reduced: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    file = Recording("etris/clip_attnpool.npz")
    if reduced:
        monkeypatch.setattr("risbook.layers.attention.fused_is_faster", lambda like: False)
    pool = recorded_pool(file)
    recorded = {name for name in file if not name.startswith("w.")}
    assert recorded == {"in.x", "mid.pos_embed_resized", "out.eval"}
    features = file["in.x"]
    grid = tuple(features.shape[-2:])
    table = resize_clip_pos_embed(pool.positional_embedding[None], grid)[:, 1:]
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
    plain = recorded_pool(file, connect=False)
    features = file["in.x"]
    dense: Tensor = plain(features)
    assert (dense < 0).any()
    together = torch.relu(dense + full.connect(features))
    wanted = file["out.eval"]
    torch.testing.assert_close(together, wanted, atol=1e-5, rtol=1e-5)
