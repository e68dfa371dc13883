"""From a recipe to a tower's folder: everything that a reader of its card needs is in it."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from risbook.data import ReferData, open_data
from risbook.errors import RisbookError
from risbook.pretraining import RECIPES, run_recipe
from risbook.pretraining.tower_card import tower_card
from risbook.towers import build_tower, tokenizer_of, weights_origin
from risbook.towers.info import weights_status

CPU = torch.device("cpu")


@pytest.fixture
def sample() -> ReferData:
    # Named as a set whose expressions name no place, as crops of objects need them.
    return replace(open_data("refscenes-sample"), name="refscenes+")


def test_a_recipe_ends_in_a_tower_with_its_card(sample: ReferData, tmp_path: Path) -> None:
    (folder,) = run_recipe(
        "dinov2-mini-alone",
        [sample],
        tmp_path,
        device=CPU,
        overrides={"steps": 1, "precision": "no"},
    )
    assert {path.name for path in folder.iterdir()} == {
        "README.md",
        "config.json",
        "log.jsonl",
        "model.safetensors",
        "pretraining.json",
        "scores.json",
    }
    about = json.loads((folder / "pretraining.json").read_text())
    assert about["command"] == (
        "risbook pretrain dinov2-mini-alone --out runs/dinov2-mini-alone --steps 1 --precision no"
    )
    assert about["loop"]["seed"] == 0 and about["config"]["crops"]["num_small"] == 4
    text = (folder / "README.md").read_text()
    assert hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest() in text
    assert about["command"] in text and tower_card("dinov2-mini", folder) == text
    tower = build_tower("dinov2-mini", weights=folder)
    assert weights_origin(tower).kind == "risbook"
    assert (folder / "model.safetensors").stat().st_size < 6e6


def test_a_pair_leaves_two_towers_and_a_vocabulary(sample: ReferData, tmp_path: Path) -> None:
    folders = run_recipe(
        "clip-mini", [sample], tmp_path, device=CPU, overrides={"steps": 2, "precision": "no"}
    )
    assert [folder.name for folder in folders] == ["clip-mini-image", "clip-mini-text"]
    tokenizer = tokenizer_of("clip-mini-text", length=20, weights=folders[1])
    tokens = tokenizer(["a red dog"])
    text = build_tower("clip-mini-text", weights=folders[1])
    assert text(tokens).sentence_embedding.shape == (1, 128)
    scores = json.loads((folders[0] / "scores.json").read_text())
    assert scores["retrieval"]["count"] > 0
    assert {row["weights"] for row in scores["kinds"]} == {"pretrained", "random"}


def test_a_pair_starts_from_earlier_weights(sample: ReferData, tmp_path: Path) -> None:
    overrides = {"steps": 1, "precision": "no"}
    folders = run_recipe("clip-mini", [sample], tmp_path / "first", device=CPU, overrides=overrides)
    digest = weights_origin(build_tower("clip-mini-image", weights=folders[0])).sha256
    again = run_recipe(
        "clip-mini",
        [sample],
        tmp_path / "second",
        device=CPU,
        init=tmp_path / "first",
        overrides={**overrides, "learning_rate": 1e-12},
    )
    about = json.loads((again[0] / "pretraining.json").read_text())
    assert about["init"]["clip-mini-image"] == digest
    assert about["command"].endswith("--init first")
    assert f"earlier weights (SHA-256 `{digest[:16]}`)" in (again[0] / "README.md").read_text()
    first, second = (build_tower("clip-mini-image", weights=part[0]) for part in (folders, again))
    for name, value in first.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name], value, msg=name)


def test_dinov2_mini_learns_from_the_real_one(sample: ReferData, tmp_path: Path) -> None:
    if weights_status("dinov2-s") not in ("in the cache", "RISBOOK_WEIGHTS"):
        pytest.skip("needs the weights of dinov2-s: run `risbook towers get dinov2-s`")
    (folder,) = run_recipe(
        "dinov2-mini", [sample], tmp_path, device=CPU, overrides={"steps": 2, "precision": "no"}
    )
    about = json.loads((folder / "pretraining.json").read_text())
    assert set(about["init"]) == {"clip-mini-40k-image", "dinov2-s"}
    assert about["config"]["teacher_block"] == 8
    assert (tmp_path / "teacher_features.safetensors").is_file()
    assert build_tower("dinov2-mini", weights=folder).num_prefix_tokens == 5


def test_a_tower_folder_of_somebody_else_is_kept(sample: ReferData, tmp_path: Path) -> None:
    folder = tmp_path / "dinov2-mini"
    folder.mkdir()
    (folder / "config.json").write_text("mine")
    with pytest.raises(RisbookError, match=r"dinov2-mini.config.json is there already"):
        run_recipe("dinov2-mini", [sample], tmp_path, device=CPU, overrides={"steps": 1})
    assert (folder / "config.json").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["dinov2-mini"]


def test_an_unknown_recipe_lists_the_others(sample: ReferData, tmp_path: Path) -> None:
    with pytest.raises(RisbookError, match=", ".join(RECIPES)):
        run_recipe("clip-maxi", [sample], tmp_path, device=CPU)
