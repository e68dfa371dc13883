"""Whether the tables that the book's pages show are what would be rendered now.

A page is a Markdown file, or a notebook, of which the Markdown cells and the Markdown outputs are
read. Only what stands between the two comments of a rendered table is compared.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import unified_diff
from pathlib import Path
from typing import NamedTuple

from risbook.errors import DataError
from risbook.ledger.markdown import END, find_table, render_markdown
from risbook.ledger.measured import Measured

_BEGIN = r"^<!-- risbook results: (\S+) -->[ \t]*$"
#: A table, from its first comment to its last one, or else to where another table or nothing comes.
_TABLE = re.compile(rf"{_BEGIN}.*?({re.escape(END)}|(?={_BEGIN})|\Z)", re.MULTILINE | re.DOTALL)
_SUFFIXES = (".md", ".ipynb")


class Finding(NamedTuple):
    """A table of a page that differs from what would be rendered now."""

    path: Path
    place: str  # line, or cell, output and line in it, all counted from 1
    message: str  # one line, and below it the lines of a unified diff where texts differ

    def __str__(self) -> str:
        return f"{self.path}: {self.place}: {self.message}"


def check_pages(paths: Iterable[Path], ours: Sequence[Measured]) -> tuple[list[Finding], int]:
    """Check pages, and all pages below folders.

    Returns:
        The findings, and how many tables were compared.

    Raises:
        DataError: a path does not exist or is no page.
    """
    findings, count = [], 0
    for path in _pages(paths):
        for place, text in _passages(path):
            for table in _TABLE.finditer(text):
                count += 1
                line = text.count("\n", 0, table.start()) + 1
                if message := _compare(table[0], table[1], line, ours):
                    findings.append(Finding(path, f"{place}line {line}", message))
    return findings, count


def _compare(shown: str, name: str, line: int, ours: Sequence[Measured]) -> str:
    """What is wrong with the table that begins on this line; empty if nothing is."""
    try:
        current = render_markdown(find_table(name), ours)
    except DataError as error:
        return str(error)
    if not shown.endswith(END):
        return f"table {name}: its last line, {END}, is missing"
    # Empty lines above make the diff count lines as the page does.
    above = [""] * (line - 1)
    old, new = ([*above, *table.splitlines()] for table in (shown, current))
    diff = list(unified_diff(old, new, "shown", f"risbook results {name}", n=0, lineterm=""))
    return "\n".join([f"table {name} is not what would be rendered now", *diff]) if diff else ""


def _pages(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: there is no such page or folder")
        if path.is_file() and path.suffix not in _SUFFIXES:
            raise DataError(f"{path}: pages end with {' or '.join(_SUFFIXES)}")
        for page in sorted(path.rglob("*")) if path.is_dir() else [path]:
            hidden = any(part[0] in "._" for part in page.relative_to(path).parts)
            if page.suffix in _SUFFIXES and not hidden:
                yield page


def _passages(path: Path) -> Iterator[tuple[str, str]]:
    """Texts of a page, each behind its place; a Markdown file is one text without a place."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield "", text
        return
    try:
        cells = json.loads(text)["cells"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a notebook") from error
    for number, cell in enumerate(cells, start=1):
        if cell.get("cell_type") == "markdown":
            yield f"cell {number}, ", "".join(cell.get("source", ""))
        for count, output in enumerate(cell.get("outputs", ()), start=1):
            # A string or a list of lines.
            shown = "".join(output.get("data", {}).get("text/markdown", ""))
            yield f"cell {number}, output {count}, ", shown
