"""The code on the page of the closing project does what the page says."""

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[1] / "book" / "task" / "project.md"


def run_block(place: int) -> dict[str, Any]:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(blocks[place], str(PAGE), "exec"), names)
    return names


def test_the_first_program_scores_the_whole_image() -> None:
    scores = run_block(0)["scores"]
    assert scores["count"] == len(scores.ious) == 663
    assert round(scores["mIoU"], 2) == 0.05


def test_the_weights_of_attention_are_those_of_the_text() -> None:
    names = run_block(1)
    assert names["weights"][0].tolist() == pytest.approx([0.89, 0.11, 0], abs=0.005)
    assert names["scores"][0].tolist()[:2] == pytest.approx([2.12, 0], abs=0.005)
    assert names["fused"].shape == names["positions"].shape
