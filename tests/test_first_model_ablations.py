"""The variants of chapter 1.3 differ from its model in one part each."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "book" / "_tools"))

import first_model_ablations


def test_variants_change_one_part_of_the_chapters_model() -> None:
    chapter = first_model_ablations.read_definitions()
    feature_map, embeddings = torch.randn(2, 3, 4, 5), torch.randn(2, 6)
    full = chapter["concatenate"](feature_map, embeddings)
    variant = first_model_ablations.concatenate_without_coordinates(feature_map, embeddings)
    assert variant.shape == full.shape == (2, 11, 4, 5)
    assert torch.equal(variant[:, :9], full[:, :9])
    assert not variant[:, 9:].any() and full[:, 9:].any()

    tower = chapter["TextTower"](vocab_size=7, word_dim=4, text_dim=6).eval()
    padded = first_model_ablations.PaddingOnly(tower)
    first, second = padded(torch.tensor([[2, 3, 0]])), padded(torch.tensor([[4, 0, 0]]))
    assert torch.equal(first, second)

    bag = chapter["BagOfWordsTower_solution"](vocab_size=7, word_dim=4, text_dim=6)
    assert torch.allclose(bag(torch.tensor([[2, 3]])), bag(torch.tensor([[3, 2]])))
