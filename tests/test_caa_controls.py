"""The recorded measurements of chapter 6.2: four forms of CAA in drawn scenes."""

import sys
from pathlib import Path

import pytest
import torch

from risbook.data import open_data
from risbook.evaluation import read_result

sys.path.insert(0, str(Path(__file__).parents[1] / "book" / "_tools"))

import caa_controls
from first_model_ablations import read_definitions


@pytest.fixture(scope="module")
def chapter():
    return read_definitions(caa_controls.CHAPTER)


@pytest.fixture(scope="module")
def towers(chapter):
    return chapter["FrozenTowers"]()


@pytest.fixture(scope="module")
def samples(towers):
    return towers.load(open_data("refscenes+"), "val", 4)


def test_the_model_without_adapter_is_the_frozen_tower(chapter, towers, samples):
    model = chapter["PatchModel"](towers, condition="end", add_mixture=True).eval()
    torch.nn.init.zeros_(model.caa.up.weight)
    index = torch.arange(3)
    images, text_tokens, padding = chapter["select"](samples, index)
    data = open_data("refscenes+")
    pixels = chapter["preprocess"]([data.image(samples.rows[n].image_id) for n in range(3)], 96)
    tower = towers.image_tower
    with torch.no_grad():
        logits = model(images, text_tokens, padding)
        tokens, grid = tower.embed(pixels)
        tokens = tower.vit.norm(tower.forward_blocks(tokens, grid=grid))
        expected = model.head(tokens[:, chapter["NUM_EXTRA"] :])[..., 0].unflatten(1, grid)
    assert logits.allclose(expected, atol=1e-4)


def test_with_two_tokens_only_both_repairs_relate_words_and_patches(chapter, towers, samples):
    """Another end token shifts all patches of a released CAA alike."""
    index = torch.tensor([0, 0])
    images, text_tokens, _ = chapter["select"](samples, index, two_tokens=True)
    text_tokens = text_tokens + torch.tensor([0.0, 1.0])[:, None, None]
    varying = {}
    for form, (condition, add_mixture) in chapter["FORMS"].items():
        torch.manual_seed(0)
        options = {"condition": condition, "add_mixture": add_mixture}
        caa = chapter["PatchModel"](towers, **options).eval().caa
        text_tokens[:, 0] = text_tokens[0, 0]  # the start token is the same
        sentence = text_tokens[:, 1] if condition == "end" else None
        with torch.no_grad():
            output = caa(images["normed"], text_tokens, sentence, grid=(12, 12))[:, 5:]
        change = output[1] - output[0]
        varying[form] = float((change - change.mean(dim=0)).abs().max())
    assert varying.pop("both repairs") > 1e-4
    assert max(varying.values()) < 1e-6


def test_alignment_counts_pairs_of_patches(chapter):
    attn = torch.tensor([[0.9, 0.2], [0.5, 0.1]])
    inside = torch.tensor([[True, False], [False, False]])
    outside = torch.tensor([[False, True], [True, False]])
    assert chapter["alignment"](attn, inside, outside) == 1
    assert chapter["alignment"](-attn, inside, outside) == 0
    assert chapter["alignment"](attn, inside & False, outside) is None


def test_a_recorded_run_is_not_repeated(chapter, tmp_path):
    path = tmp_path / "drawn-world.json"
    runs = [("released", 0.003, 1, 0)]
    caa_controls.record_runs(chapter, path, runs, num_images=4)
    first = read_result(path)["rows"]
    more = [*runs, ("both repairs", 0.01, 1, 0)]
    caa_controls.record_runs(chapter, path, more, num_images=4)
    rows = read_result(path)["rows"]
    assert rows[0] == first[0] and len(rows) == 2
    assert 0 <= rows[1]["mean IoU"] <= 1 and 0 <= rows[1]["colour"] <= 1


def test_without_selection_all_patches_get_the_same_from_the_text(chapter, towers, samples):
    torch.manual_seed(0)
    model = chapter["PatchModel"](towers, condition="end", add_mixture=True).eval()
    scores = caa_controls.score_logits(chapter, model, samples)
    assert scores["best mean IoU"] >= 0 and 0 <= scores["ranking"] <= 1
    averaged = caa_controls.average_patches(model, (), torch.tensor([[[1.0], [3.0]]]))
    assert averaged.flatten().tolist() == [2.0, 2.0]


@pytest.mark.parametrize("part", sorted(caa_controls.RUNS))
def test_the_result_files_hold_every_run(part):
    rows = read_result(caa_controls.FOLDER / f"{part}.json")["rows"]
    keys = [(row["row"], row["rate"], row["steps"], row["seed"]) for row in rows]
    assert keys == caa_controls.RUNS[part]
