"""``risbook results``: the list, a table, its rows, and the check of pages."""

import json
from pathlib import Path

import pytest

from risbook.cli import main
from risbook.ledger import TABLES, show_table
from risbook.systems import list_shipped

TABLE = show_table("etris-zoom").markdown


def check(*paths: Path) -> int:
    """The exit code of the check."""
    return main(["results", "--check", *map(str, paths)])


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
    assert main(["results", "--tables"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [*(table.name for table in TABLES), "ours", "shipped", "accuracy-figure"]
    assert [line.split()[0] for line in lines[1:]] == names
    assert main(["results", "--tables", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["table"] == "etris-main"


def test_our_trainings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results"]) == 0
    text = capsys.readouterr().out
    assert "etris-pet: ways to tune two towers" in text
    assert "one seed: undecided" in text
    assert main(["results", "--json"]) == 0
    suites = {suite["suite"]: suite for suite in json.loads(capsys.readouterr().out)["suites"]}
    ablations = suites["first-model-ablations"]["differences"]
    assert {row["run"]: row["verdict"] for row in ablations} == {
        "bag-of-words - full": "undecided",
        "no-coordinates - full": "undecided",
        "no-sentence - full": "lower",
    }


def test_models_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results", "shipped", "--json"]) == 0
    tables = json.loads(capsys.readouterr().out)
    names = [[row["model"] for row in rows] for rows in tables.values()]
    assert list(tables) == ["training", "mIoU", "oIoU"]
    assert names == [list_shipped()] * 3
    etris = next(row for row in tables["training"] if row["model"] == "etris-mini")
    assert (etris["in the towers"], etris["steps"]) == ("76,192", "7,000 × 32")
    assert next(row for row in tables["mIoU"] if row["model"] == "etris-mini")[
        "refscenes val"
    ].startswith("52.9")


def test_tables_of_a_page_are_written_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = page(tmp_path / "old.md", TABLE.replace("70.94", "70.49"))
    page(tmp_path / "good.md", TABLE)
    chapter = notebook(tmp_path / "chapter.ipynb", TABLE.replace("70.94", "70.49"))
    before = chapter.read_text(encoding="utf-8")
    assert main(["results", "--update", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [str(old)]
    assert check(old) == 0
    assert chapter.read_text(encoding="utf-8") == before
    page(old, without(TABLE, "<!-- end"))
    assert main(["results", "--update", str(old)]) == 2
    assert "its last line" in capsys.readouterr().err


def test_a_wrong_number_of_ours_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["results", "ours"]) == 0
    text = capsys.readouterr().out
    path = page(tmp_path / "page.md", text.replace("24.3 (16.8 to 31.9)", "42.3 (16.8 to 31.9)"))
    assert check(path) == 1
    assert "42.3 (16.8 to 31.9)" in capsys.readouterr().out


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
        (["results", "etris-zoom", "--update"], "leave out the table"),
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


def without(text: str, start: str) -> str:
    """The text without the lines that begin so."""
    return "\n".join(line for line in text.splitlines() if not line.startswith(start))


@pytest.mark.parametrize("kind", ["md", "ipynb"])
@pytest.mark.parametrize(
    ("wrong", "diff"),
    [
        pytest.param(TABLE.replace("70.94", "70.49"), ["-70.49", "+70.94"], id="unknown number"),
        pytest.param(TABLE.replace("70.94", "70.08"), ["-70.08", "+70.94"], id="number elsewhere"),
        pytest.param(TABLE.replace("5.77M", "5.78M"), ["-5.78M", "+5.77M"], id="count"),
        pytest.param(TABLE.replace("| 70.94 |", "| |"), ["+70.94"], id="empty cell"),
        pytest.param(TABLE.replace("| MLP", "| NLP"), ["-| NLP", "+| MLP"], id="name of a row"),
        pytest.param(
            TABLE.replace("| mIoU |", "| oIoU |"), ["-| oIoU |", "+| mIoU |"], id="heading"
        ),
        pytest.param(without(TABLE, "| MLP"), ["+| MLP"], id="missing row"),
        pytest.param(
            without(TABLE, "| linear").replace("70.08", "70.94"),
            ["+| linear", "-70.94", "+70.08"],
            id="missing row beside a changed number",
        ),
        pytest.param(TABLE.replace("| MLP", "| mine | 1 |\n| MLP"), ["-| mine"], id="extra row"),
        pytest.param(TABLE.replace("split val.", "split test."), ["-split test."], id="about"),
        pytest.param(
            TABLE.replace("- Named oIoU", "- Called IoU"),
            ["-- Called IoU", "+- Named oIoU"],
            id="footnote",
        ),
    ],
)
def test_differences_are_shown(
    wrong: str, diff: list[str], kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make = page if kind == "md" else notebook
    path = make(tmp_path / f"page.{kind}", wrong)
    assert check(path) == 1
    lines = capsys.readouterr().out.splitlines()
    place = "line 5" if kind == "md" else "cell 2, output 1, line 1"
    assert lines[0] == f"{path}: {place}: table etris-zoom is not what would be rendered now"
    assert lines[1:3] == ["--- shown", "+++ risbook results etris-zoom"]
    assert lines[-1] == "1 tables, 1 findings"
    for part in diff:
        assert any(line[0] == part[0] and part[1:] in line for line in lines[3:-1]), part


def test_a_difference_has_the_line_of_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = page(tmp_path / "page.md", TABLE.replace("70.94", "70.49"))
    [number] = [n for n, line in enumerate(path.read_text().splitlines(), 1) if "70.49" in line]
    assert check(path) == 1
    assert f"@@ -{number} +{number} @@" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["md", "ipynb"])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (TABLE.replace("etris-zoom -->", "etris-room -->"), "there is no table 'etris-room'"),
        (TABLE.replace("<!-- end", "<!-- the end"), "table etris-zoom: its last line, <!-- end"),
    ],
)
def test_comments_are_checked(
    wrong: str, message: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make = page if kind == "md" else notebook
    assert check(make(tmp_path / f"page.{kind}", wrong)) == 1
    assert message in capsys.readouterr().out


def test_a_table_without_its_end_is_not_taken_for_the_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = page(tmp_path / "page.md", without(TABLE, "<!-- end") + "\n\n" + TABLE)
    assert check(path) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "line 5: table etris-zoom: its last line" in lines[0]
    assert lines[1:] == ["2 tables, 1 findings"]


def test_findings_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = page(tmp_path / "page.md", TABLE.replace("70.94", "70.49"))
    assert main(["results", "--json", "--check", str(path)]) == 1
    [finding] = json.loads(capsys.readouterr().out)
    assert (finding["page"], finding["place"]) == (str(path), "line 5")
    assert "70.49" in finding["message"]
