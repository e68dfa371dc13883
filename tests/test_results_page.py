"""The page Results: where it stands, and whether script and style find its tables."""

import re

from book_config import BOOK, ROOT, read_yaml, toc_pages

from risbook.ledger.whole_ledger import WHOLE_LEDGER

TEXT = (BOOK / "results_table.md").read_text(encoding="utf-8")
SCRIPT = (BOOK / "_static" / "results_tables.js").read_text(encoding="utf-8")


def test_the_page_is_in_the_contents_and_has_its_script() -> None:
    assert "book/results_table" in toc_pages()
    settings = read_yaml(ROOT / "_config.yml")["sphinx"]["config"]
    assert settings["html_js_files"] == [["results_tables.js", {"defer": "defer"}]]


def test_every_block_of_results_is_on_the_page_once() -> None:
    names = re.findall(r"^<!-- risbook results: (\S+) -->$", TEXT, re.MULTILINE)
    assert sorted(names) == sorted(
        ["accuracy-figure", "ours", "shipped", *(table.name for table in WHOLE_LEDGER)]
    )
    assert TEXT.count("<!-- end of risbook results -->") == len(names)


def test_every_table_stands_in_a_box_of_its_own() -> None:
    """The script looks for tables below .ris-results; an empty line lets Markdown make a table."""
    boxes = re.findall(r'^<div class="ris-results">\n\n(.*?)\n\n</div>$', TEXT, re.M | re.DOTALL)
    rules = re.findall(r"^\| :?---", TEXT, re.MULTILINE)
    assert len(boxes) == len(rules) > len(WHOLE_LEDGER)
    for box in boxes:
        assert len(re.findall(r"^\| :?---", box, re.MULTILINE)) == 1


def test_the_script_is_short_and_fetches_nothing() -> None:
    assert len(SCRIPT.splitlines()) <= 100
    assert not re.search(r"https?:|fetch\(|import\b|XMLHttp|innerHTML", SCRIPT)
    # What it makes can be reached by keyboard and says what it does.
    assert 'createElement("button")' in SCRIPT
    assert "aria-sort" in SCRIPT
    assert "label.append(input)" in SCRIPT
