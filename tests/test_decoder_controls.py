"""The other texts of chapter 4.2: what gates, tokens and kernel of a trained model are given."""

import sys
from pathlib import Path

import pytest
import torch

from risbook.data import open_data
from risbook.systems import load_system
from risbook.teaching import load_examples

sys.path.insert(0, str(Path(__file__).parents[1] / "book" / "_tools"))

import decoder_controls

SENTENCES, OTHERS = ["left ball", "dog"], ["red vase", "bird"]


@pytest.fixture(scope="module")
def model():
    return load_system("etris-mini").requires_grad_(False).eval()


@torch.no_grad()
def test_the_first_row_is_the_model_and_the_others_replace_one_place_or_all(model):
    images = torch.randn(2, 3, model.image_size, model.image_size)
    maps, own = decoder_controls.encode(model, images, SENTENCES)
    _, other = decoder_controls.encode(model, images, OTHERS)
    rows = dict(decoder_controls.list_rows(own, {"other object": other}))
    assert next(iter(rows)) == "unchanged" and len(rows) == 5
    logits = decoder_controls.decode(model.head, maps, *rows["unchanged"])
    expected = model(images, model.tokenizer(SENTENCES))
    assert torch.allclose(logits, expected, atol=1e-3)
    for place, name in enumerate(decoder_controls.PLACES):
        texts = rows[f"other object, {name}"]
        assert [text is other for text in texts] == [p == place for p in range(3)]
        changed = decoder_controls.decode(model.head, maps, *texts)
        assert not torch.allclose(changed, expected, atol=1e-3)
    assert all(text is other for text in rows["other object, all three"])


def test_an_expression_has_one_of_another_object_and_another_of_its_own():
    triples = decoder_controls.find_triples(load_examples(open_data("refscenes-sample"), "val"), 1)
    assert triples
    for own, other, paraphrase in triples:
        assert own.image_id == other.image_id == paraphrase.image_id
        assert other.target is not own.target and paraphrase.target is own.target
        assert paraphrase.sentence != own.sentence
