"""The other texts of chapter 4.2: what gates, tokens and kernel of a trained model are given."""

import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from risbook.data import open_data
from risbook.files import read_json
from risbook.systems import load_system
from risbook.teaching import load_examples

sys.path.insert(0, str(Path(__file__).parents[1] / "book" / "_tools"))

import decoder_controls
import decoder_small_world
from first_model_ablations import read_definitions

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


@pytest.mark.parametrize("partner", ["other-category", "other-colour", "same-kind"])
def test_partners_differ_in_category_or_in_colour_or_in_neither(partner):
    examples = load_examples(open_data("refscenes-sample"), "val")
    triples = decoder_controls.find_triples(examples, 1, partner)
    for own, other, _ in triples:
        same_category = own.target.category == other.target.category
        same_colour = own.target.colour == other.target.colour
        assert same_category == (partner != "other-category")
        assert partner == "other-category" or same_colour == (partner == "same-kind")
    assert triples or partner != "other-category"
    assert len(triples) <= len(decoder_controls.find_triples(examples, 1))


def test_exchanged_sides_name_the_only_other_object_of_the_kind_on_the_other_side():
    examples = load_examples(open_data("refscenes-sample"), "train")
    triples = decoder_controls.find_triples(examples, 1, "side")
    assert triples
    for own, other, paraphrase in triples:
        assert own.sentence != other.sentence and paraphrase.target is own.target
        back = other.sentence.split()
        pairs = zip(own.sentence.split(), back, strict=True)
        changed = [pair for pair in pairs if pair[0] != pair[1]]
        assert changed in ([("left", "right")], [("right", "left")])
        kinds = [(o.category, o.colour) for o in own.objects]
        kind = own.target.category, own.target.colour
        assert (other.target.category, other.target.colour) == kind
        assert other.target is not own.target and kinds.count(kind) == 2
        columns = [decoder_controls.find_column(item) for item in (own.target, other.target)]
        assert (columns[0] < columns[1]) == ("left" in own.sentence.split())


def test_the_control_is_subtracted_expression_by_expression():
    selected = {
        "other object, gates": [(0.1, False, True), (0.9, True, False), (0.2, False, True)],
        "same object, gates": [(0.8, True, False), (0.1, False, True), (0.2, False, True)],
    }
    row = decoder_controls.subtract_control("other object, gates", selected, [1, 2, 3])
    assert row["selects other minus same object"] == 0
    assert row["error of selects other minus same object"] > 0


def test_the_small_world_is_recorded_with_three_seeds_and_runs_outside_the_chapter():
    recorded = read_json(decoder_small_world.FOLDER / "seeds-0-1-2.json")
    chapter = read_definitions(decoder_small_world.CHAPTER)
    parts = [*chapter["PARTS"], *decoder_small_world.FURTHER]
    runs = {(row.pop("row"), row.pop("seed")) for row in recorded["rows"]}
    assert runs == {(name, seed) for name in parts for seed in range(3)}
    chapter["train_small"] = partial(chapter["train_small"], steps=2)
    shares = decoder_small_world.measure(chapter, 0, chapter["PARTS"]["Projector"])
    for row in recorded["rows"]:
        assert row.keys() == shares.keys()
        assert all(0 <= share <= 1 for share in row.values())
