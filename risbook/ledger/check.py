"""Whether the tables that the book's pages show are what would be rendered now.

A page is a Markdown file, or a notebook, of which the Markdown cells and the Markdown outputs are
read. Only what stands between the two comments of a rendered table is compared. Tables of Markdown
files can be written anew; those of notebooks come from executing them.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from difflib import unified_diff
from pathlib import Path
from typing import NamedTuple

from risbook.errors import DataError
from risbook.files import write_atomically
from risbook.ledger.markdown import END

_BEGIN = r"^<!-- risbook results: (\S+) -->[ \t]*$"
#: A table, from its first comment to its last one, or else to where another table or nothing comes.
_TABLE = re.compile(rf"{_BEGIN}.*?({re.escape(END)}|(?={_BEGIN})|\Z)", re.MULTILINE | re.DOTALL)
_SUFFIXES = (".md", ".ipynb")


#: Renders the table of a name between its two comments; a DataError says why it cannot.
Render = Callable[[str], str]


class Finding(NamedTuple):
    """A table of a page that differs from what would be rendered now."""

    path: Path
    place: str  # line, or cell, output and line in it, all counted from 1
    message: str  # one line, and below it the lines of a unified diff where texts differ

    def __str__(self) -> str:
        return f"{self.path}: {self.place}: {self.message}"


def check_pages(paths: Iterable[Path], render: Render) -> tuple[list[Finding], int]:
    """Check pages, and all pages below folders.

    Args:
        paths: pages and folders.
        render: gives a table as it would be rendered now.

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
                if message := _compare(table[0], table[1], line, render):
                    findings.append(Finding(path, f"{place}line {line}", message))
    return findings, count


def update_pages(paths: Iterable[Path], render: Render) -> list[Path]:
    """Write the tables of Markdown files anew.

    Returns:
        The pages that changed.

    Raises:
        DataError: a path does not exist or is no page, or a table is unknown or lacks its end.
    """
    changed = []
    for path in _pages(paths):
        if path.suffix != ".md":
            continue
        text = path.read_text(encoding="utf-8")
        for table in _TABLE.finditer(text):
            if not table[0].endswith(END):
                raise DataError(f"{path}: table {table[1]}: its last line, {END}, is missing")
        updated = _TABLE.sub(lambda table: render(table[1]), text)
        if updated != text:
            with write_atomically(path) as temporary:
                temporary.write_text(updated, encoding="utf-8")
            changed.append(path)
    return changed


def _compare(shown: str, name: str, line: int, render: Render) -> str:
    """What is wrong with the table that begins on this line; empty if nothing is."""
    try:
        current = render(name)
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
