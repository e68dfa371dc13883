"""The small towers that come with the package are what their cards say, and worth having."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from risbook.pretraining.tower_card import tower_card
from risbook.towers.weight_lookup import SHIPPED

TOWERS = ("clip-mini-image", "clip-mini-rn-image", "clip-mini-text", "dinov2-mini")
MOST_BYTES = 6_000_000


def scores_of(name: str) -> dict[str, Any]:
    about: dict[str, Any] = json.loads((SHIPPED / name / "scores.json").read_text())
    return about


def linear(name: str, question: str, weights: str) -> float:
    """Accuracy of the linear probe on the patches of things."""
    wanted = {"of": question, "on": "things", "method": "linear", "weights": weights}
    [row] = [row for row in scores_of(name)["patches"] if wanted.items() <= row.items()]
    return float(row["accuracy"])


@pytest.mark.parametrize("name", TOWERS)
def test_the_folder_holds_what_the_card_says(name: str) -> None:
    folder: Path = SHIPPED / name
    assert sum(path.stat().st_size for path in folder.iterdir()) < MOST_BYTES
    assert (folder / "README.md").read_text(encoding="utf-8") == tower_card(name, folder)
    if name != "clip-mini-text":  # which is measured with its image tower
        digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        assert scores_of(name)["origin"]["sha256"] == digest


@pytest.mark.parametrize("name", [name for name in TOWERS if name != "clip-mini-text"])
@pytest.mark.parametrize("question", ["kind", "part"])
def test_patches_know_more_than_random_ones(name: str, question: str) -> None:
    assert linear(name, question, "pretrained") > 1.25 * linear(name, question, "random")


@pytest.mark.parametrize("name", ["clip-mini-image", "clip-mini-rn-image"])
def test_clip_finds_captions_and_pictures(name: str) -> None:
    scores = scores_of(name)["retrieval"]
    assert scores["count"] == 500
    for direction in ("image to text", "text to image"):
        assert scores[direction]["R@1"] > 100 * scores["chance"]["R@1"]
