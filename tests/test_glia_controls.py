"""The recorded measurements of chapter 6.1: the small world, and the start of the real DINOv2."""

import sys
from pathlib import Path

import pytest
import torch

from risbook.evaluation import read_result

sys.path.insert(0, str(Path(__file__).parents[1] / "book" / "_tools"))

import glia_controls
from first_model_ablations import read_definitions


@pytest.fixture(scope="module")
def chapter():
    return read_definitions(glia_controls.CHAPTER)


@pytest.mark.parametrize(("task", "offset"), [("vertical", (1, 0)), ("horizontal", (0, 1))])
def test_a_mask_covers_each_a_and_two_neighbours(chapter, task, offset):
    _, masks, categories = chapter["make_samples"](4, 3, task)
    expected = torch.zeros_like(masks)
    for image, y, x in (categories == 1).nonzero().tolist():
        for sign in (-1, 0, 1):
            row, column = y + sign * offset[0], x + sign * offset[1]
            if 0 <= row < 8 and 0 <= column < 8:
                expected[image, row, column] = 1
    assert torch.equal(masks, expected)


def test_only_the_tokens_know_their_position(chapter):
    with_positions = chapter["make_samples"](2, 3, "vertical")
    without = chapter["make_samples"](2, 3, "vertical", positions=False)
    assert torch.equal(with_positions[1], without[1])
    difference = (with_positions[0] - without[0])[0]
    places = chapter["ROW_VECTORS"][:, None] + chapter["COLUMN_VECTORS"][None]
    torch.testing.assert_close(difference, places.flatten(0, 1), atol=1e-5, rtol=0)


def test_the_control_connects_patches_by_attention_alone(chapter):
    system = chapter["SmallSystem"]("no neighbours")
    conv = system.glia.conv
    x = torch.zeros(1, 64, 9)
    x[0, :, 4] = 1
    assert (conv(x)[0].abs().sum(dim=0) > 0).nonzero().flatten().tolist() == [4]


def test_a_recorded_run_is_not_repeated(chapter, tmp_path):
    path = tmp_path / "small-world.json"
    run = ("1-D", "vertical", 0.003, 1, 100, True)
    glia_controls.record_world(chapter, path, [run])
    glia_controls.record_world(chapter, path, [run])
    (row,) = read_result(path)["rows"]
    assert len(row["mean IoU"]) == 1 and 0 <= row["mean IoU"][0] <= 1


def test_the_result_file_holds_every_run():
    rows = read_result(glia_controls.FOLDER / "small-world.json")["rows"]
    keys = [
        (row["row"], row["task"], row["rate"], row["seed"], len(row["mean IoU"]), row["positions"])
        for row in rows
    ]
    assert keys == [
        (form, task, lr, seed, steps // 100, positions)
        for form, task, lr, seeds, steps, positions in glia_controls.RUNS
        for seed in range(seeds)
    ]
