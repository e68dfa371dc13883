"""Encoding: vectors and patches equal the tower's own, and maps return to their image."""

import numpy as np
import pytest
import torch

from risbook.errors import DataError
from risbook.probing.encoding import (
    encode_image,
    encode_text,
    object_crops,
    preprocess,
    upsample_to_image,
)
from risbook.tokenizers.word_tokenizer import WordTokenizer
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.text_transformer import TextTransformer


@pytest.fixture(scope="module")
def tower() -> ImageTransformer:
    torch.manual_seed(0)
    sizes = {"embed_dim": 16, "depth": 2, "num_heads": 2, "patch_size": 8, "pos_grid": 4}
    return ImageTransformer(style="dinov2", num_registers=3, layer_scale=1.0, **sizes).eval()


def test_vectors_and_patches_are_the_towers_own(tower):
    images = torch.randn(3, 3, 32, 32)
    vectors, patches = encode_image(tower, images)
    assert torch.allclose(vectors, tower.pooled(images), atol=1e-5)
    last = tower(images).maps[-1]
    assert torch.allclose(patches.movedim(-1, 1), last, atol=1e-5)


def test_another_way_through_the_blocks_may_drop_tokens(tower):
    def bare(tower, tokens):
        return tower.forward_blocks(
            torch.cat([tokens[:, :1], tokens[:, tower.num_extra_tokens :]], dim=1)
        )

    images = torch.randn(2, 3, 32, 32)
    _, patches = encode_image(tower, images, forward_blocks=bare)
    assert patches.shape == (2, 4, 4, 16)
    assert not torch.allclose(patches, encode_image(tower, images)[1], atol=1e-4)


def test_sentences_become_unit_vectors_whatever_the_padding():
    torch.manual_seed(0)
    tokenizer = WordTokenizer.from_sentences(["a red mug", "a dog"], length=12, ends=True)
    sizes = {"embed_dim": 16, "depth": 2, "num_heads": 2, "context_length": 12, "output_dim": 8}
    tower = TextTransformer(vocab_size=tokenizer.vocab_size, **sizes).eval()
    both = encode_text(tower, tokenizer, ["a dog", "a red mug"])
    single = encode_text(tower, tokenizer, ["a dog"])
    assert torch.allclose(both.norm(dim=-1), torch.ones(2), atol=1e-5)
    assert torch.allclose(both[:1], single, atol=1e-5)


@pytest.mark.parametrize("smooth", [False, True])
def test_a_map_comes_back_to_its_image(smooth):
    image = np.zeros((40, 80, 3), np.uint8)  # in the square: rows 16 to 48 of 64
    cells = torch.zeros(4, 4)
    cells[1, 3] = 1.0
    back = upsample_to_image(cells, image, 64, smooth=smooth)
    assert back.shape == (40, 80)
    assert np.unravel_index(int(back.argmax()), back.shape)[1] >= 60
    assert back[30:, :40].abs().max() < 0.1
    layers = upsample_to_image(torch.stack([cells, 2 * cells], -1), image, 64, smooth=smooth)
    assert torch.allclose(layers[..., 1], 2 * back, atol=1e-6)
    with pytest.raises(DataError, match="not \\(4,\\)"):
        upsample_to_image(torch.zeros(4), image, 64)


def test_squares_are_normalised_letterboxes():
    images = preprocess([np.zeros((10, 20, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)], 16)
    assert images.shape == (2, 3, 16, 16)
    assert float(images[1][:, :-1, :-1].min()) > 1.5  # Letterbox blends the last row
    assert float(images[0][:, 0].abs().max()) < 0.01  # the border is CLIP's mean colour


def test_close_views_hold_the_object_in_the_middle():
    image = np.zeros((60, 60, 3), np.uint8)
    mask = np.zeros((60, 60), bool)
    mask[:10, 50:] = True  # in a corner
    image[mask] = 255
    (view,) = object_crops(image, [mask], 32)
    assert view.shape == (32, 32, 3) and view[16, 16].min() == 255
    assert view[-2, 1].max() == 0  # Letterbox blends the last row with the border
    with pytest.raises(DataError, match="empty"):
        object_crops(image, [np.zeros((60, 60), bool)], 32)
