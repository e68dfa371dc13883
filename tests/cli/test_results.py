"""``risbook results``: the list, a table, its rows, and the check of pages."""

import json
from pathlib import Path

import pytest

from risbook.cli import main
from risbook.ledger import TABLES, show_table

TABLE = show_table("etris-zoom").markdown


def check(*paths: Path) -> int:
    """The exit code of the check."""
    try:
        return main(["results", "--check", *map(str, paths)])
    except SystemExit as stop:
        assert isinstance(stop.code, int)
        return stop.code


def notebook(path: Path, text: str | list[str]) -> Path:
    output = {"output_type": "display_data", "data": {"text/markdown": text}, "metadata": {}}
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n"], "metadata": {}},
        {"cell_type": "code", "source": "show_table()", "outputs": [output], "metadata": {}},
    ]
    path.write_text(json.dumps({"cells": cells, "nbformat": 4}), encoding="utf-8")
    return path


def page(path: Path, text: str) -> Path:
    path.write_text(f"# Title\n\nWords.\n\n{text}\n\nMore words, 12.34.\n", encoding="utf-8")
    return path


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [table.name for table in TABLES]
    assert main(["results", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["table"] == "etris-main"


def test_table_and_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results", "etris-zoom"]) == 0
    assert capsys.readouterr().out == TABLE + "\n"
    assert main(["results", "etris-zoom", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["mIoU"]["text"] for row in rows] == ["70.94", "70.08", "70.62", "71.06"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["results", "nonsense"], "no table 'nonsense'"),
        (["results", "--results", "no/such"], "no such folder"),
        (["results", "--check", "no/such.md"], "no such page"),
        (["results", "--check", "pyproject.toml"], "pages end with"),
        (["results", "etris-zoom", "--check"], "leave out the table"),
    ],
)
def test_mistakes(
    words: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").touch()
    assert main(words) == 2
    assert message in capsys.readouterr().err


def test_the_book_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert check(Path(__file__).resolve().parents[2] / "book") == 0
    assert "0 findings" in capsys.readouterr().out


def test_good_pages_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page(tmp_path / "page.md", TABLE)
    notebook(tmp_path / "chapter.ipynb", TABLE)
    notebook(tmp_path / "lines.ipynb", TABLE.splitlines(keepends=True))
    hidden = tmp_path / "_build"
    hidden.mkdir()
    page(hidden / "old.md", TABLE.replace("70.94", "70.49"))
    assert check(tmp_path) == 0
    assert capsys.readouterr().out.splitlines() == ["3 tables, 0 findings"]


@pytest.mark.parametrize("kind", ["md", "ipynb"])
@pytest.mark.parametrize(
    ("wrong", "messages"),
    [
        # a number that stands nowhere
        (
            TABLE.replace("70.94", "70.49"),
            [
                "70.49 has neither a row in the ledger nor a result",
                "row linear, column mIoU: shown is 70.49, now it is 70.94; `risbook results",
            ],
        ),
        # a number of the ledger in the wrong place
        (
            TABLE.replace("70.94", "70.08"),
            ["row linear, column mIoU: shown is 70.08, now it is 70.94"],
        ),
        # a count of parameters
        (
            TABLE.replace("5.77M", "5.78M"),
            ["5.78 has neither", "row linear, column Tuned: shown is 5.78M, now it is 5.77M"],
        ),
        # a cell is empty, and the name of a row and a heading are wrong
        (
            TABLE.replace("| 70.94 |", "| |"),
            ["row linear, column mIoU: shown is nothing, now it is 70.94"],
        ),
        (
            TABLE.replace("| MLP", "| NLP"),
            ["row NLP, column Zoom Layer: shown is NLP, now it is MLP"],
        ),
        (TABLE.replace("| mIoU |", "| oIoU |"), ["heading 3: shown is oIoU, now it is mIoU"]),
        # a row is missing
        (
            "\n".join(line for line in TABLE.splitlines() if not line.startswith("| MLP")),
            ["a line is missing: | MLP"],
        ),
        # the difference of two long lines is far behind
        (
            TABLE.replace("split val.", "split test."),
            ["a line differs: ...ft or right), split test.; now it is ...ft or right), split val."],
        ),
        # a row is missing, or too many, beside one that changed
        (
            "\n".join(
                line for line in TABLE.splitlines() if not line.startswith("| linear")
            ).replace("70.08", "70.94"),
            ["row convolution and interpolation, column mIoU: shown is 70.94, now it is 70.08"],
        ),
        (
            TABLE.replace("| MLP", "| mine | 1 |\n| MLP").replace("70.62", "70.94"),
            ["a line is too much: | mine"],
        ),
        # a row too many
        (TABLE.replace("| MLP", "| mine | 1 | 2 | 3 | 4 | 5 |\n| MLP"), ["a line is too much"]),
        # a footnote is gone
        (
            TABLE.replace("- Named oIoU", "- Called IoU"),
            ["a line differs: - Called IoU in ETRIS (Xu et al. 2023), computed as mIoU.; now"],
        ),
        (TABLE.replace("etris-zoom -->", "etris-room -->"), ["there is no table 'etris-room'"]),
        (TABLE.replace("<!-- end", "<!-- the end"), ["its last line"]),
    ],
)
def test_wrong_tables_are_found(
    wrong: str,
    messages: list[str],
    kind: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make = page if kind == "md" else notebook
    path = make(tmp_path / f"page.{kind}", wrong)
    assert check(path) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"1 tables, {len(messages)} findings"
    place = "line 5" if kind == "md" else "cell 2, output 1"
    for line, message in zip(lines, messages, strict=False):
        assert line.startswith(f"{path}: {place}: ")
        assert message in line


def test_findings_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = page(tmp_path / "page.md", TABLE.replace("70.94", "70.49"))
    with pytest.raises(SystemExit):
        main(["results", "--json", "--check", str(path)])
    findings = json.loads(capsys.readouterr().out)
    assert [one["place"] for one in findings] == ["line 5", "line 5"]
