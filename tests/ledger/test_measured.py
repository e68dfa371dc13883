"""Result files: what counts, what they say, and what is left out."""

import json
from pathlib import Path
from typing import Any

import pytest

from risbook.errors import DataError
from risbook.ledger import read_measured, select

ABOUT: dict[str, Any] = {
    "command": "risbook train etris-mini --seed 0",
    "date": "2026-11-21",
    "device": "x86_64 CPU, 2 threads",
    "seed": 0,
    "precision": "float32",
    "origin": {"image": {"kind": "small", "source": "clip-mini"}, "text": {"kind": "random"}},
}
ROW = {"row": "lora", "set": "refscenes", "split": "val", "count": 10, "mIoU": 0.5, "Pr@0.5": 0.25}


def write(path: Path, rows: Any, **changes: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**ABOUT, **changes, "rows": rows}), encoding="utf-8")
    return path


def test_rows_of_a_suite(tmp_path: Path) -> None:
    file = write(tmp_path / "pet.json", [ROW, {**ROW, "row": "full", "tuned": 7, "seconds": 60}])
    rows = read_measured(tmp_path, shipped=tmp_path / "none")
    assert [(run.row, run.measure, run.value) for run in rows] == [
        ("lora", "mIoU", 50.0),
        ("lora", "Pr@0.5", 25.0),
        ("full", "mIoU", 50.0),
        ("full", "Pr@0.5", 25.0),
        ("full", "tuned", 7.0),
        ("full", "seconds", 60.0),
    ]
    first = rows[0]
    assert (first.suite, first.seed, first.file) == ("pet", 0, file)
    assert (first.dataset, first.split) == ("refscenes", "val")
    assert first.origin == "image: clip-mini; text: random weights"
    assert (first.command, first.device) == (ABOUT["command"], ABOUT["device"])
    assert [run.measure for run in select(rows, row="full", split="val")][-1] == "seconds"
    with pytest.raises(DataError, match="no field 'colour'"):
        select(rows, colour="red")


def test_a_suite_may_be_a_folder_with_a_file_a_run(tmp_path: Path) -> None:
    write(tmp_path / "pet" / "lora-0.json", [ROW])
    write(tmp_path / "pet" / "lora-1.json", [ROW], seed=1)
    write(tmp_path / "named.json", [ROW], suite="other")
    rows = read_measured(tmp_path, shipped=tmp_path / "none")
    assert {(run.suite, run.seed) for run in rows} == {("pet", 0), ("pet", 1), ("other", 0)}


def test_a_row_may_replace_what_the_file_says(tmp_path: Path) -> None:
    write(tmp_path / "pet.json", [{**ROW, "seed": 2, "precision": "bfloat16", "origin": "none"}])
    [run, _] = read_measured(tmp_path, shipped=tmp_path / "none")
    assert (run.seed, run.precision, run.origin) == (2, "bfloat16", "none")


def test_numbers_of_a_whole_run(tmp_path: Path) -> None:
    row = {key: value for key, value in ROW.items() if key != "row"}
    training = {"steps": 600, "batch": 32}
    write(
        tmp_path / "pet" / "lora-0.json",
        [row, {**row, "split": "testA"}],
        row="lora",
        adapters=30_000,
        seconds=61.5,
        settings={"training": training, "limit": 200},
    )
    rows = read_measured(tmp_path, shipped=tmp_path / "none")
    assert {run.row for run in rows} == {"lora"}
    assert {run.budget for run in rows} == {"600 steps of 32, 200 expressions per split"}
    whole = select(rows, dataset="", split="")
    assert [(run.measure, run.value) for run in whole] == [("adapters", 30_000), ("seconds", 61.5)]
    assert len(select(rows, measure="mIoU")) == 2


def test_half_written_files_never_count(tmp_path: Path) -> None:
    whole = write(tmp_path / "pet.json", [ROW]).read_text(encoding="utf-8")
    (tmp_path / ".pet.json.17.tmp").write_text(whole, encoding="utf-8")
    (tmp_path / ".hidden.json").write_text(whole, encoding="utf-8")
    (tmp_path / "notes.txt").write_text(whole, encoding="utf-8")
    (tmp_path / "torn.json").write_text(whole[: len(whole) // 2], encoding="utf-8")
    with pytest.warns(UserWarning, match=r"torn\.json: not a whole JSON document"):
        rows = read_measured(tmp_path, shipped=tmp_path / "none")
    assert {run.suite for run in rows} == {"pet"}


def test_a_folder_need_not_exist(tmp_path: Path) -> None:
    assert read_measured(tmp_path / "none", shipped=tmp_path / "none") == ()


def test_scores_of_shipped_checkpoints_are_read(tmp_path: Path) -> None:
    rows = read_measured(tmp_path)
    shares = select(rows, suite="first-model", row="first-model", measure="mIoU")
    assert len(shares) == 8
    assert all(1 < run.value < 100 for run in shares)
    assert all(run.command.startswith("risbook evaluate first-model") for run in shares)


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        ([{**ROW, "mIoU": 50.0}], {}, "mIoU 50.0 lies outside 0 to 1"),
        ([{**ROW, "loss": float("nan")}], {}, "loss is nan"),
        ([{"mIoU": 0.5}], {}, "row 1 has no key"),
        ([ROW], {"row": "lora", "seconds": float("inf")}, "seconds is inf"),
        ([{**ROW, "seed": "zero"}], {}, "seed 'zero' is not a whole number"),
        ([ROW, 3], {}, "row 2 is not a JSON object"),
        ({}, {}, "rows has to be a list"),
        ([ROW], {"date": "yesterday"}, "date 'yesterday'"),
        ([ROW, ROW], {}, "lora mIoU stands in"),
    ],
)
def test_mistakes_name_the_file(
    rows: Any, changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "pet.json", rows, **changes)
    with pytest.raises(DataError) as error:
        read_measured(tmp_path, shipped=tmp_path / "none")
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_a_file_that_is_no_result_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="not a result file"):
        read_measured(tmp_path, shipped=tmp_path / "none")
