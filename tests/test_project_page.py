"""The code on the page of the closing project does what the page says."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from risbook.data import open_data
from risbook.data.letterbox import Letterbox

BOOK = Path(__file__).resolve().parents[1] / "book"
PAGE = BOOK / "task" / "project.md"


def run_block(place: int) -> dict[str, Any]:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(blocks[place], str(PAGE), "exec"), names)
    return names


def test_the_first_program_scores_the_whole_image() -> None:
    scores = run_block(0)["scores"]
    assert scores["count"] == len(scores.ious) == 663
    assert round(scores["mIoU"], 2) == 0.05


def test_a_mask_survives_the_way_into_the_square_and_back() -> None:
    data = open_data("refscenes-sample")
    for row in list(data.expressions)[::20]:
        mask = data.mask(row)
        letterbox = Letterbox(height=row.height, width=row.width, size=416)
        square = torch.from_numpy(letterbox.mask(mask))
        back = run_block(1)["undo_letterbox"](square, row.height, row.width).numpy() > 0.5
        assert (back & mask).sum() / (back | mask).sum() > 0.95


def test_the_weights_of_attention_are_those_of_the_text() -> None:
    names = run_block(2)
    assert names["weights"][0].tolist() == pytest.approx([0.89, 0.11, 0], abs=0.005)
    assert names["scores"][0].tolist()[:2] == pytest.approx([2.12, 0], abs=0.005)
    assert names["fused"].shape == names["positions"].shape


@pytest.mark.parametrize(
    ("label", "measure"),
    [
        ("loss of the untrained model", "untrained loss"),
        ("loss of perfect logits", "loss of perfect logits"),
        ("loss after 200 steps", "last loss"),
        ("mIoU of the four", "mIoU"),
    ],
)
def test_the_table_of_errors_is_that_of_the_result_files(label: str, measure: str) -> None:
    text = PAGE.read_text(encoding="utf-8").replace("**", "")
    (line,) = re.findall(rf"^\| {label}[^|]*\|(.*)\|$", text, re.MULTILINE)
    recorded = []
    for name in ("correct", "transposed", "sigmoid-twice"):
        path = BOOK / "results" / "first-model-errors" / f"{name}.json"
        recorded.append(json.loads(path.read_text(encoding="utf-8"))["rows"][0][measure])
    assert [cell.strip() for cell in line.split("|")] == [f"{value:.2f}" for value in recorded]
