"""The image transformers: the same as timm's own, at any size, without a graph where frozen."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from risbook.errors import ArgumentError, DataError
from risbook.intermediates import Intermediates
from risbook.towers import transformer_tower
from risbook.towers.build import build_tower
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.vision_styles import STYLES

#: timm's own names of the two designs.
TIMM = {"clip": "vit_base_patch16_clip_quickgelu_224", "dinov2": "vit_base_patch14_reg4_dinov2"}
PATCH = {"clip": 16, "dinov2": 14}


def make_tower(kind: str, *, projection: int | None = None) -> ImageTransformer:
    torch.manual_seed(0)
    tower = ImageTransformer(
        style=kind,
        embed_dim=32,
        depth=4,
        num_heads=4,
        patch_size=PATCH[kind],
        pos_grid=4,
        num_registers=4 if kind == "dinov2" else 0,
        output_dim=projection,
        out_indices=(0, 2, 3),
    )
    for parameter in tower.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return tower.eval()


def pictures(kind: str, rows: int = 4, columns: int = 4) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(2, 3, rows * PATCH[kind], columns * PATCH[kind])


def timm_network(tower: ImageTransformer, grid: tuple[int, int]) -> Any:
    """The network of the same design, as timm makes it for a grid, with the tower's weights."""
    import timm

    patch = tower.patch_size
    network = timm.create_model(
        TIMM["clip" if tower.style is STYLES["clip"] else "dinov2"],
        pretrained=False,
        embed_dim=32,
        depth=4,
        num_heads=4,
        img_size=(grid[0] * patch, grid[1] * patch),
        num_classes=0,
    )
    state = tower.vit.state_dict() | {"pos_embed": tower.resize_pos_embed(tower.pos_embed, grid)}
    network.load_state_dict(state, strict=True)
    return network.eval()


def saved(run: Any) -> int:
    """How many tensors a computation keeps for its backward pass."""
    count = 0

    def pack(tensor: Tensor) -> Tensor:
        nonlocal count
        count += 1
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        run()
    return count


KINDS = pytest.mark.parametrize("kind", ["clip", "dinov2"])


@KINDS
@pytest.mark.parametrize("grid", [(4, 4), (6, 6), (3, 5)], ids=str)
def test_equal_to_timm_s_own_forward_pass(kind: str, grid: tuple[int, int]) -> None:
    tower, images = make_tower(kind), pictures(kind, *grid)
    network = timm_network(tower, grid)
    intermediates = Intermediates()
    with torch.no_grad():
        tower(images, intermediates=intermediates)
        theirs = network.forward_features(images)
        torch.testing.assert_close(intermediates["final"], theirs, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(tower.pooled(images), network(images), atol=1e-5, rtol=1e-5)


def test_the_projection_is_what_timm_calls_the_head() -> None:
    tower, images = make_tower("clip", projection=24), pictures("clip")
    assert tower.projection is not None
    network = timm_network(tower, (4, 4))
    network.reset_classifier(24)
    with torch.no_grad():
        network.head.weight.copy_(tower.projection.T)
        network.head.bias.zero_()
        torch.testing.assert_close(tower.pooled(images), network(images), atol=1e-5, rtol=1e-5)


@KINDS
@pytest.mark.parametrize("grid", [(4, 4), (2, 6), (7, 5)], ids=str)
def test_maps_have_the_shape_of_the_picture(kind: str, grid: tuple[int, int]) -> None:
    tower = make_tower(kind, projection=24 if kind == "clip" else None)
    features = tower(pictures(kind, *grid))
    assert [tuple(feature_map.shape) for feature_map in features.maps] == [
        (2, channels, *grid) for channels in tower.map_dims
    ]
    assert features.strides == tower.strides == (PATCH[kind],) * 3
    assert tower.map_dims == (32, 32, 24 if kind == "clip" else 32)


@KINDS
def test_blocks_can_be_run_in_groups(kind: str) -> None:
    tower, images = make_tower(kind), pictures(kind, 3, 5)
    intermediates = Intermediates()
    features = tower(images, intermediates=intermediates)
    tokens, grid = tower.embed(images)
    assert grid == (3, 5)
    assert tokens.shape == (2, tower.num_extra_tokens + 15, 32)
    assert tower.num_extra_tokens == (1 if kind == "clip" else 5)
    assert tokens.equal(intermediates["embedded"])
    maps = []
    for stage in (1, 2, 3):
        tokens = tower.run_stage_blocks(stage, tokens)
        maps.append(tower.tokens_to_map(tokens, grid))
    maps[-1] = tower.tokens_to_map(tower.forward_final(tokens), grid)
    for expected, feature_map in zip(maps, features.maps, strict=True):
        torch.testing.assert_close(expected, feature_map)


@KINDS
def test_a_map_can_be_put_back(kind: str) -> None:
    tower = make_tower(kind)
    tokens, grid = tower.embed(pictures(kind, 3, 5))
    patches = tower.tokens_to_map(tokens, grid)
    assert patches[1, :, 2, 3].equal(tokens[1, tower.num_extra_tokens + 2 * 5 + 3])
    assert tower.replace_patches(tokens, patches).equal(tokens)
    changed = tower.replace_patches(tokens, patches + 1)
    assert changed[:, : tower.num_extra_tokens].equal(tokens[:, : tower.num_extra_tokens])
    assert changed[:, tower.num_extra_tokens :].equal(tokens[:, tower.num_extra_tokens :] + 1)


@KINDS
def test_both_forms_of_attention_agree(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tower, images = make_tower(kind), pictures(kind)
    answers = []
    for fused in (True, False):
        monkeypatch.setattr(transformer_tower, "fused_is_faster", lambda like, f=fused: f)
        answers.append(tower(images).maps[-1])
    torch.testing.assert_close(*answers, atol=1e-5, rtol=1e-5)


@KINDS
@pytest.mark.parametrize("grad", [False, True])
def test_it_runs_in_bf16(kind: str, grad: bool) -> None:
    tower, images = make_tower(kind), pictures(kind, 3, 5)
    exact = tower(images).maps[-1].detach().flatten()
    with torch.set_grad_enabled(grad), torch.autocast("cpu", torch.bfloat16):
        mixed = tower(images).maps[-1]
    with torch.set_grad_enabled(grad):
        rounded = tower.to(torch.bfloat16)(images.to(torch.bfloat16)).maps[-1]
    for answer in (mixed, rounded):
        assert torch.nn.functional.cosine_similarity(answer.float().flatten(), exact, 0) > 0.99


@KINDS
def test_masked_patches_keep_only_their_position(kind: str) -> None:
    tower, images = make_tower(kind), pictures(kind)
    mask = torch.zeros(2, 16, dtype=torch.bool)
    mask[0, 5] = True
    other = images.clone()
    side = PATCH[kind]
    other[0, :, side : 2 * side, side : 2 * side] = 7.0  # patch 5 of a grid of 4 x 4
    unmasked, _ = tower.embed(images)
    masked, _ = tower.embed(images, mask=mask)
    again, _ = tower.embed(other, mask=mask)
    assert masked.equal(again)
    differs = (masked != unmasked).any(dim=-1)
    assert differs.nonzero().tolist() == [[0, tower.num_extra_tokens + 5]]


@KINDS
@pytest.mark.parametrize(("extra_rows", "extra_columns"), [(1, 0), (0, 3)])
def test_a_size_that_patches_do_not_tile_is_one_clear_error(
    kind: str, extra_rows: int, extra_columns: int
) -> None:
    side = 4 * PATCH[kind]
    images = torch.zeros(1, 3, side + extra_rows, side + extra_columns)
    sizes = f"{side + extra_rows} x {side + extra_columns} pixels is not tiled by patches of"
    with pytest.raises(DataError, match=rf"^an image of {sizes} {PATCH[kind]}: .*multiples"):
        make_tower(kind)(images)


@KINDS
def test_a_frozen_tower_builds_no_graph(kind: str) -> None:
    tower, images = make_tower(kind).requires_grad_(False), pictures(kind, 3, 5)
    assert saved(lambda: tower(images)) == 0
    assert all(feature_map.grad_fn is None for feature_map in tower(images).maps)


@KINDS
def test_the_graph_begins_at_the_first_tuned_block(kind: str) -> None:
    tower, images = make_tower(kind).requires_grad_(False), pictures(kind, 3, 5)
    tower.blocks[2].requires_grad_(True)
    below: list[Tensor] = []
    assert saved(lambda: below.append(tower.forward_blocks(tower.embed(images)[0], 0, 2))) == 0
    assert below[0].grad_fn is None
    above: list[Tensor] = []
    assert saved(lambda: above.append(tower.forward_blocks(below[0], 2, 3))) > 0
    assert above[0].grad_fn is not None
    features = tower(images)
    assert [feature_map.grad_fn is not None for feature_map in features.maps] == [False, True, True]
    features.maps[-1].sum().backward()
    tuned = {name for name, p in tower.named_parameters() if p.grad is not None}
    assert tuned == {name for name, p in tower.named_parameters() if p.requires_grad}
    assert tuned and all("blocks.2." in name for name in tuned)


@KINDS
def test_a_tuned_position_table_gets_its_gradient(kind: str) -> None:
    """ETRIS tunes it; so its place in the graph must survive the resizing."""
    tower = make_tower(kind).requires_grad_(False)
    table = tower.vit.pos_embed
    assert table is not None
    table.requires_grad_(True)
    tower(pictures(kind, 3, 5)).maps[0].square().sum().backward()
    assert table.grad is not None
    assert table.grad.abs().amax(dim=-1).min() > 0


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(ArgumentError, match='no style "siglip": choose clip or dinov2'):
        build_tower("dinov2-mini", weights="random", style="siglip")
