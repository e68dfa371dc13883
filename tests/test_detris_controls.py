"""The controls of chapter 5.3: adapters switched off, and sentences exchanged."""

import sys
from pathlib import Path

import pytest
import torch

from risbook.systems import build_system

sys.path.insert(0, str(Path(__file__).parents[1] / "book" / "_tools"))

import detris_controls


@pytest.fixture(scope="module")
def system():
    torch.manual_seed(0)
    return build_system("detris-mini").requires_grad_(False).eval()


@pytest.fixture(scope="module")
def logits(system):
    images = torch.randn(2, 3, system.image_size, system.image_size)
    token_ids = [system.tokenizer(pair) for pair in (["a ball", "dog"], ["a cup", "bird"])]
    own, other = token_ids
    foreign = own.flip(0)
    rows = dict(detris_controls.predictions(system, images, own, other, foreign))
    for name, ids in (("own", own), ("other", other), ("foreign", foreign)):
        rows[f"as a system with the {name} sentence"] = system(images, ids)
    return rows


def test_all_parts_with_one_sentence_are_the_system(logits):
    for row, whole in (
        ("unchanged", "own"),
        ("other object's sentence", "other"),
        ("other image's sentence", "foreign"),
    ):
        whole_logits = logits[f"as a system with the {whole} sentence"]
        assert torch.allclose(logits[row], whole_logits, atol=1e-4)


def test_each_row_is_another_prediction_and_the_factors_come_back(system, logits):
    rows = [value for name, value in logits.items() if not name.startswith("as a system")]
    assert len(rows) == 9
    for place, first in enumerate(rows):
        for second in rows[:place]:
            assert not torch.allclose(first, second, atol=1e-6)
    for tower in (system.image_tower, system.text_tower):
        factors = [part.scale for part in tower.modules() if hasattr(part, "adapter")]
        assert factors and set(factors) == {0.2}


def test_without_factor_the_tower_is_the_frozen_one(system):
    token_ids = system.tokenizer(["a ball"])
    with detris_controls.switched_off(system, ("text",)):
        switched_off = system.encode_text(token_ids).text_tokens
    frozen = build_system("detris-mini", overrides={"text_adapter.blocks": []}).eval()
    with torch.no_grad():
        expected = frozen.encode_text(token_ids).text_tokens
    assert torch.allclose(switched_off, expected, atol=1e-5)


def test_every_expression_of_a_batch_gets_a_foreign_sentence():
    size = detris_controls.BATCH
    pairs = [(number, None) for number in range(3 * size - 5)]
    for start in range(0, len(pairs), size):
        foreign = detris_controls.find_foreign(pairs, start)
        own = [number for number, _ in pairs[start : start + size]]
        assert len(foreign) == len(own) and not set(foreign) & set(own)


def test_a_row_tells_the_paired_difference():
    measured = {"unchanged": [(0.8, 0.0), (0.6, 0.1)], "no adapters": [(0.4, 0.2), (0.6, 0.1)]}
    row = detris_controls.summarise("no adapters", "refscenes", measured, [1, 2])
    assert abs(row["mIoU"] - 0.5) < 1e-9 and abs(row["difference"] + 0.2) < 1e-9
    assert abs(row["mIoU, other object"] - 0.15) < 1e-9 and row["low"] <= row["high"]
