"""The first model: towers, decoder, composition."""

import pytest
import torch

from risbook.errors import RisbookError
from risbook.intermediates import Intermediates
from risbook.layers.convolutions import coordinates
from risbook.systems import FirstModel, build_system
from risbook.towers import ConvolutionalTower, RecurrentTower

SENTENCES = ["left dog", "the red dog on the right", "second mug from left"]
SMALL = {
    "image_size": 64,
    "widths": (8, 8, 16, 16),
    "blocks": 1,
    "word_width": 8,
    "text_width": 16,
    "decoder_width": 16,
}


@pytest.fixture
def model() -> FirstModel:
    torch.manual_seed(0)
    system = build_system("first-model", sentences=SENTENCES, overrides=SMALL)
    assert isinstance(system, FirstModel)
    return system.eval()


def test_image_tower_shapes() -> None:
    maps = ConvolutionalTower(map_dims=(4, 8, 16, 24), blocks=1)(torch.zeros(2, 3, 64, 96))
    assert [tuple(m.shape) for m in maps.maps] == [
        (2, 4, 32, 48),
        (2, 8, 16, 24),
        (2, 16, 8, 12),
        (2, 24, 4, 6),
    ]
    assert maps.strides == (2, 4, 8, 16)


def test_a_sentence_does_not_depend_on_its_padding() -> None:
    torch.manual_seed(0)
    tower = RecurrentTower(vocab_size=9, word_dim=8, embed_dim=12).eval()
    short = torch.tensor([[3, 4, 5]])
    long = torch.tensor([[3, 4, 5, 0, 0, 0]])
    torch.testing.assert_close(tower(short).sentence_embedding, tower(long).sentence_embedding)
    assert tower(long).text_tokens.shape == (1, 6, 12)
    assert tower(long).key_padding_mask.tolist() == [[False] * 3 + [True] * 3]


def test_a_sentence_without_words_is_still_read() -> None:
    tower = RecurrentTower(vocab_size=9, word_dim=8, embed_dim=12).eval()
    assert tower(torch.zeros(2, 4, dtype=torch.long)).sentence_embedding.isfinite().all()


def test_word_order_matters() -> None:
    torch.manual_seed(0)
    tower = RecurrentTower(vocab_size=9, word_dim=8, embed_dim=12).eval()
    first = tower(torch.tensor([[2, 3, 4]])).sentence_embedding
    second = tower(torch.tensor([[4, 3, 2]])).sentence_embedding
    assert (first - second).abs().max() > 1e-3


def test_coordinates_are_x_then_y() -> None:
    planes = coordinates(3, 5)
    assert planes.shape == (2, 3, 5)
    assert planes[0, 0].tolist() == [-1, -0.5, 0, 0.5, 1]
    assert planes[1, :, 0].tolist() == [-1, 0, 1]


def test_logits_intermediates_and_text(model: FirstModel) -> None:
    image = torch.randn(2, 3, 64, 64)
    intermediates = Intermediates()
    logits = model(image, model.tokenizer(["left dog", "second mug"]), intermediates=intermediates)
    assert logits.shape == (2, 1, 32, 32)
    assert {name: tuple(value.shape) for name, value in intermediates.items()} == {
        "decoder.fused": (2, 16, 8, 8),
        "decoder.context": (2, 16, 8, 8),
    }
    other = model(image, model.tokenizer(["red dog", "red dog"]))
    assert (logits - other).abs().max() > 1e-4


def test_every_parameter_gets_a_gradient(model: FirstModel) -> None:
    model.train()
    tokens = model.tokenizer(SENTENCES)
    logits = model(torch.randn(3, 3, 64, 64), tokens)
    model.loss(logits, torch.rand(3, 1, 64, 64)).backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"map_dims": [1, 2]}, "map_dims is .*a list of 4 whole numbers"),
        ({"widths": 3}, "map_dims is 3; it must be a list of 4 whole numbers"),
        ({"text_dim": 0}, "text_dim is 0"),
        ({"text_dim": 15}, "text_dim is 15.*multiple of 2"),
        ({"image_size": 33}, "image_size is 33.*multiple of 16"),
        ({"image_size": "x"}, "image_size is 'x'"),
        ({"blocks": -1}, "blocks is -1"),
        ({"max_tokens": 1.5}, "max_tokens is 1.5"),
    ],
)
def test_sizes_that_make_no_sense(change: dict[str, object], message: str) -> None:
    with pytest.raises(RisbookError, match=message):
        build_system("first-model", sentences=SENTENCES, overrides=change)


def test_unknown_names_are_named() -> None:
    with pytest.raises(RisbookError, match="no system is called 'second-model'"):
        build_system("second-model", sentences=SENTENCES)
    with pytest.raises(RisbookError, match="colour"):
        build_system("first-model", sentences=SENTENCES, overrides={"colour": 3})
