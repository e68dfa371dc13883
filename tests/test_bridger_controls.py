"""The replacements of chapter 4.1: what the Bridgers of a model add, from another source."""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from risbook.data import open_data
from risbook.files import read_json
from risbook.systems import load_system
from risbook.teaching import load_examples

sys.path.insert(0, str(Path(__file__).parents[1] / "book" / "_tools"))

import bridger_controls
import bridger_small_world
from first_model_ablations import read_definitions


@pytest.fixture(scope="module")
def model():
    model = load_system("etris-mini")
    definitions = read_definitions(bridger_controls.CHAPTER)
    model.bridgers = definitions["ReplacedTerms"](model.bridgers)
    return model


@pytest.fixture(scope="module")
def inputs(model):
    images = torch.randn(2, 3, model.image_size, model.image_size)
    return images, model.tokenizer(["left ball", "dog"]), model.tokenizer(["red vase", "bird"])


@torch.no_grad()
def test_own_terms_change_nothing_and_zero_terms_disable_the_bridgers(model, inputs):
    images, token_ids, _ = inputs
    own = bridger_controls.collect_terms(model, images, token_ids)
    unchanged = model(images, token_ids)
    model.bridgers.replacements = own
    assert torch.allclose(model(images, token_ids), unchanged, atol=1e-3)
    model.bridgers.bridgers.disable()
    model.bridgers.replacements = {}
    disabled = model(images, token_ids)
    model.bridgers.bridgers.enable()
    rows = dict(bridger_controls.replacements(bridger_controls.Sources(*[own] * 6)))
    model.bridgers.replacements = rows["nothing"]
    assert torch.allclose(model(images, token_ids), disabled, atol=1e-3)
    assert not torch.allclose(disabled, unchanged, atol=1e-3)


@torch.no_grad()
def test_a_row_takes_each_term_from_its_source(model, inputs):
    images, token_ids, other_ids = inputs
    own = bridger_controls.collect_terms(model, images, token_ids)
    other = bridger_controls.collect_terms(model, images, other_ids)
    sources = bridger_controls.Sources(own, own, other, own, own, own)
    rows = dict(bridger_controls.replacements(sources))
    assert rows["unchanged"] == {} and len(rows) == 9
    assert rows["other sentence, Bridgers"] is other and list(rows["nothing"]) == [1, 2, 3]
    partner = rows["other partner"]
    assert partner[1][0] is other[1][0] and partner[1][1] is own[1][1]
    sources = bridger_controls.Sources(own, own, own, other, own, own)
    rows = dict(bridger_controls.replacements(sources))
    partner, own_input = rows["foreign partner"], rows["foreign own input"]
    assert partner[1][0] is other[1][0] and partner[1][1] is own[1][1]
    assert own_input[1][0] is own[1][0] and own_input[1][1] is other[1][1]


@torch.no_grad()
def test_the_decoder_can_read_another_sentence_between_the_maps_of_the_own_one(model, inputs):
    images, token_ids, other_ids = inputs
    own = bridger_controls.collect_terms(model, images, token_ids)
    maps, text = model.bridge(images, token_ids)
    sources = bridger_controls.Sources(*[own] * 6)
    model.bridgers.replacements = dict(bridger_controls.replacements(sources))[
        bridger_controls.OTHER_DECODER
    ]
    other_maps, other_text = model.bridge(images, other_ids)
    model.bridgers.replacements = {}
    for own_map, other_map in zip(maps, other_maps, strict=True):
        assert torch.allclose(own_map, other_map, atol=1e-3)
    assert not torch.allclose(text, other_text, atol=1e-3)


@torch.no_grad()
def test_a_random_partner_changes_terms_but_not_the_input_of_their_own_tower(model, inputs):
    images, token_ids, _ = inputs
    own = bridger_controls.collect_terms(model, images, token_ids)
    noisy = bridger_controls.collect_noisy(model, images, token_ids, seed=0)
    again = bridger_controls.collect_noisy(model, images, token_ids, seed=0)
    for stage, terms in noisy.items():
        for side in (0, 1):
            assert torch.equal(terms[side], again[stage][side])
            assert terms[side].shape == own[stage][side].shape
            assert not torch.allclose(terms[side], own[stage][side], atol=1e-3)
    unchanged = model(images, token_ids)
    model.bridgers.replacements = {}
    assert torch.allclose(model(images, token_ids), unchanged)  # the wrapper is in place again


def test_noise_has_the_mean_and_the_deviation_of_each_channel():
    features = torch.randn(64, 3, 8, 8) * torch.tensor([0.5, 1, 2])[:, None, None] + 4
    noisy = bridger_controls.NoisyPartner(torch.nn.Identity(), noisy_text=True, seed=0)
    noise = noisy.draw_like(features, dims=(0, 2, 3))
    assert torch.allclose(noise.mean((0, 2, 3)), features.mean((0, 2, 3)), atol=0.15)
    assert torch.allclose(noise.std((0, 2, 3)), features.std((0, 2, 3)), rtol=0.1)


def test_expressions_are_paired_with_other_objects_of_their_images():
    examples = load_examples(open_data("refscenes-sample"), "val")
    pairs = bridger_controls.find_pairs(examples)
    assert pairs
    for example, other in pairs:
        assert other.image_id == example.image_id
        assert other.target is not example.target
    assert len(bridger_controls.find_pairs(examples, every=2)) < len(pairs)
    for start in range(0, len(pairs), bridger_controls.BATCH):
        batch = pairs[start : start + bridger_controls.BATCH]
        foreign = bridger_controls.find_foreign(pairs, start)
        for (example, _), partner in zip(batch, foreign, strict=True):
            assert partner.image_id != example.image_id


def test_the_table_holds_the_iou_of_every_expression(tmp_path):
    examples = load_examples(open_data("refscenes-sample"), "val")
    pairs = bridger_controls.find_pairs(examples)[:2]
    selected = {"unchanged": [(0.8, True, False), (2 / 3, True, False)]}
    bridger_controls.write_ious(tmp_path / "ious.csv", pairs, selected)
    lines = (tmp_path / "ious.csv").read_text().splitlines()
    assert lines[0] == "sent_id,image_id,unchanged" and lines[2].endswith(",0.6667")


def test_a_row_tells_the_paired_difference_from_the_unchanged_model():
    selected = {
        "unchanged": [(0.8, True, False), (0.6, True, False)],
        "nothing": [(0.4, False, True), (0.6, True, False)],
    }
    row = bridger_controls.summarise("nothing", selected, [1, 2])
    assert np.isclose(row["mIoU"], 0.5) and np.isclose(row["mIoU difference"], -0.2)
    assert np.isclose(row["error of selects own"], np.sqrt(0.5**2 * 2) / 2)
    assert row["selects own"] == 0.5 and row["selects other"] == 0.5
    assert np.isclose(row["error of mIoU difference"], np.sqrt(0.2**2 * 2) / 2)


def test_the_small_world_is_recorded_with_three_seeds_and_runs_outside_the_chapter():
    recorded = read_json(bridger_small_world.FOLDER / "seeds-0-1-2.json")
    chapter = read_definitions(bridger_small_world.CHAPTER)
    runs = {(row.pop("row"), row.pop("seed")) for row in recorded["rows"]}
    assert runs == {(name, seed) for name in chapter["SYSTEMS"] for seed in range(3)}
    chapter["train_small"] = partial(chapter["train_small"], steps=2)
    measured = bridger_small_world.measure(chapter, 0, chapter["SYSTEMS"]["full, two paths"])
    for row in recorded["rows"]:
        assert row.keys() == measured.keys()
        assert all(0 <= value <= 1 for value in row.values())
