"""The small towers that come with the package are what their cards say, and worth having."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from risbook.pretraining.tower_card import tower_card
from risbook.towers.weights.lookup import SHIPPED_TOWERS

TEXT_TOWERS = ("clip-mini-text", "clip-mini-40k-text")
IMAGE_TOWERS = ("clip-mini-image", "clip-mini-40k-image", "clip-mini-rn-image", "dinov2-mini")
TOWERS = (*IMAGE_TOWERS, *TEXT_TOWERS)
MOST_BYTES = 6_000_000
BLOCK_PROBES = SHIPPED_TOWERS.parent / "block_probes"


def scores_of(name: str) -> dict[str, Any]:
    about: dict[str, Any] = json.loads((SHIPPED_TOWERS / name / "scores.json").read_text())
    return about


def linear_accuracy(name: str, label_set: str, weights: str) -> float:
    """Accuracy of the linear probe on the patches of things."""
    probe = {"of": label_set, "on": "things", "method": "linear", "weights": weights}
    [row] = [row for row in scores_of(name)["patches"] if probe.items() <= row.items()]
    return float(row["accuracy"])


@pytest.mark.parametrize("name", TOWERS)
def test_the_folder_holds_what_the_card_says(name: str) -> None:
    folder: Path = SHIPPED_TOWERS / name
    assert sum(path.stat().st_size for path in folder.iterdir()) < MOST_BYTES
    assert (folder / "README.md").read_text(encoding="utf-8") == tower_card(name, folder)
    if name not in TEXT_TOWERS:  # which is measured with its image tower
        digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        assert scores_of(name)["origin"]["sha256"] == digest


@pytest.mark.parametrize("name", IMAGE_TOWERS)
@pytest.mark.parametrize("label_set", ["kind", "part"])
def test_pretrained_patches_are_probed_better_than_random_ones(name: str, label_set: str) -> None:
    assert linear_accuracy(name, label_set, "pretrained") > 1.25 * linear_accuracy(
        name, label_set, "random"
    )


@pytest.mark.parametrize("name", ["clip-mini-image", "clip-mini-40k-image", "clip-mini-rn-image"])
def test_clip_retrieves_captions_and_images(name: str) -> None:
    retrieval = scores_of(name)["retrieval"]
    assert retrieval["count"] == 500
    for direction in ("image to text", "text to image"):
        assert retrieval[direction]["R@1"] > 100 * retrieval["chance"]["R@1"]


def test_the_small_dinov2_learned_from_the_real_one() -> None:
    about = json.loads((BLOCK_PROBES / "dinov2-mini.json").read_text())
    [final] = [row for row in about["rows"] if row["after"] == "final"]
    assert final["knn"]["accuracy"] >= 0.40  # 0.17 by self-distillation alone, 0.21 untrained
    card = (SHIPPED_TOWERS / "dinov2-mini" / "README.md").read_text(encoding="utf-8")
    assert "from the weights of clip-mini-40k-image" in card
    assert "to predict the features of dinov2-s" in card


def test_the_wider_world_gave_a_pair_whose_patches_know_kinds() -> None:
    about = json.loads((BLOCK_PROBES / "clip-mini-40k-image.json").read_text())
    [final] = [row for row in about["rows"] if row["after"] == "final"]
    assert final["knn"]["accuracy"] >= 0.40
    retrieval = scores_of("clip-mini-40k-image")["retrieval"]
    for direction in ("image to text", "text to image"):
        assert retrieval[direction]["R@1"] >= 0.85
