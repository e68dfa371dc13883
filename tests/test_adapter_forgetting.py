"""The recorded run of chapter 3.1: pointing, and a change of reduced rank."""

import copy
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from risbook.towers.build import build_tower

sys.path.insert(0, str(Path(__file__).parents[1] / "book" / "_tools"))

import adapter_forgetting


def make_scenes(emb: torch.Tensor) -> adapter_forgetting.Scenes:
    """One scene of 16 patches, whose object covers the second patch."""
    fraction = torch.zeros(1, 16)
    fraction[0, 1] = 1.0
    return adapter_forgetting.Scenes((1,), torch.randn(1, 17, 128), [emb], [fraction])


def test_a_sentence_points_if_its_best_patch_is_covered() -> None:
    vectors = F.normalize(torch.randn(1, 16, 8), dim=-1)
    assert adapter_forgetting.pointing_accuracy(vectors, make_scenes(vectors[0, [1]])) == 1
    assert adapter_forgetting.pointing_accuracy(vectors, make_scenes(vectors[0, [2]])) == 0


@torch.no_grad()
def test_a_change_of_rank_one_is_kept_by_rank_one() -> None:
    torch.manual_seed(0)
    tower = build_tower("clip-mini-image", weights="random")
    tuned = copy.deepcopy(tower)
    weight = tuned.blocks[9].mlp.fc1.weight
    weight += torch.outer(torch.randn(len(weight)), torch.randn(128))
    scenes = make_scenes(F.normalize(torch.randn(1, 128), dim=-1))
    rows = adapter_forgetting.measure_ranks("full", tower, tuned, scenes)
    assert [row["row"] for row in rows[:2]] == ["full, rank 1", "full, rank 2"]
    assert all(row["share"] == pytest.approx(1, abs=1e-4) for row in rows)
