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
    variant = first_model_ablations.ZeroCoordinates(torch.nn.Identity())(full)
    assert variant.shape == full.shape == (2, 11, 4, 5)
    assert torch.equal(variant[:, :9], full[:, :9])
    assert not variant[:, 9:].any() and full[:, 9:].any()

    tower = chapter["TextTower"](vocab_size=7, word_dim=4, text_dim=6).eval()
    padded = first_model_ablations.PaddingOnly(tower)
    first, second = padded(torch.tensor([[2, 3, 0]])), padded(torch.tensor([[4, 0, 0]]))
    assert torch.equal(first, second)

    bag = first_model_ablations.BagOfWordsTower(vocab_size=7, word_dim=4, text_dim=6)
    assert torch.allclose(bag(torch.tensor([[2, 3, 0]])), bag(torch.tensor([[3, 2]])))


def test_a_variant_is_trained_and_scored_with_the_code_of_the_chapter() -> None:
    chapter = first_model_ablations.read_definitions()
    tokenizer, train_data, val_data = first_model_ablations.prepare_data(
        chapter, "refscenes-sample"
    )
    items = chapter["ImagesWithSentences"](train_data)
    items.items = (items.items * 16)[:16]
    for variant in first_model_ablations.VARIANTS:
        result = first_model_ablations.train_variant(
            chapter, variant, 0, 1, 5e-3, tokenizer, items, val_data
        )
        (row,) = result["rows"]
        assert result["row"] == variant
        assert row["count"] == len(val_data)
        assert 0 <= row["mIoU"] <= 1
