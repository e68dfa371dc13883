"""The recorded measurements of chapter 5.1: gradients, initial weights, and the small world."""

import sys
from pathlib import Path

import pytest
import torch

from risbook.evaluation import read_result

sys.path.insert(0, str(Path(__file__).parents[1] / "book" / "_tools"))

import dense_aligner_controls
from first_model_ablations import read_definitions


@pytest.fixture(scope="module")
def chapter():
    return read_definitions(dense_aligner_controls.CHAPTER)


def test_a_mask_covers_the_named_patches_and_their_neighbours(chapter):
    samples = chapter["make_samples"](4, seed=3)
    objects = samples.categories == samples.named[:, None, None]
    assert bool((samples.masks.bool() >= objects).all())
    for objects_of_one, mask in zip(objects, samples.masks, strict=True):
        for y, x in objects_of_one.nonzero().tolist():
            rows, columns = slice(max(y - 1, 0), y + 2), slice(max(x - 1, 0), x + 2)
            assert bool((mask[rows, columns] == 1).all())
    assert torch.equal(samples.masks, chapter["make_samples"](4, seed=3).masks)


def test_the_forms_have_the_same_weights_but_for_d_moc(chapter):
    counts = {}
    for form in chapter["FORMS"]:
        system = chapter["SmallSystem"](form)
        counts[form] = sum(weight.numel() for weight in system.parameters())
    assert counts["released"] == counts["repaired"] == counts["without D-MoC"] + 20_656


def test_a_recorded_run_is_not_repeated(chapter, tmp_path):
    path = tmp_path / "small-world.json"
    runs = [("released", "Adam", 0.003, 1)]
    dense_aligner_controls.record_world(chapter, path, runs, steps=1)
    first = read_result(path)
    more = [("released", "Adam", 0.003, 1), ("repaired", "SGD", 0.5, 1)]
    dense_aligner_controls.record_world(chapter, path, more, steps=1)
    rows = read_result(path)["rows"]
    assert rows[0] == first["rows"][0] and len(rows) == 2
    assert rows[1]["row"] == "repaired" and 0 <= rows[1]["mean IoU"] <= 1


def test_the_result_file_holds_every_run():
    rows = read_result(dense_aligner_controls.FOLDER / "small-world.json")["rows"]
    keys = [(row["row"], row["optimizer"], row["rate"], row["seed"]) for row in rows]
    assert keys == [
        (form, optimizer, lr, seed)
        for form, optimizer, lr, seeds in dense_aligner_controls.RUNS
        for seed in range(seeds)
    ]


def test_initial_weights_are_compared_with_their_rules(chapter):
    system = dense_aligner_controls.build_untrained("detris-mini", 96, repaired=False)
    adapters = system.image_tower.adapters
    *ratios, largest_bias = chapter["initial_weights"](adapters).values()
    assert ratios == pytest.approx([1, 1, 1], abs=0.05) and largest_bias == 0
    with torch.no_grad():
        for name, weight in adapters.named_parameters():
            if "dmoc" in name:
                weight.mul_(2)
    doubled = chapter["initial_weights"](adapters)
    assert doubled["convolutions"] == pytest.approx(2, abs=0.1)
    assert doubled["linear layers"] == pytest.approx(1, abs=0.05)


def test_clip_ids_begin_and_end_every_sentence():
    token_ids = torch.tensor([[2, 16, 9, 144, 0], [2, 7, 144, 0, 0]])
    converted = dense_aligner_controls.to_clip_ids(token_ids)
    assert converted.tolist() == [[49406, 16, 9, 49407, 0], [49406, 7, 49407, 0, 0]]
