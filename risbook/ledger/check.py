"""Do the tables in the book's pages still say what the ledger and the result files say?

A page is Markdown, or a notebook of which the Markdown cells and the Markdown outputs of code
cells are read. Only tables between the two comments of a rendered table are looked at.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path
from typing import Any

from risbook.errors import DataError
from risbook.ledger.measured import Measured
from risbook.ledger.published import published
from risbook.ledger.render import BEGIN, END, find_table, markdown

_NUMBER = re.compile(r"(?<![\w.])\d+\.\d+(?![\d.])")

#: What separates cells: a bar that belongs to a cell has a backslash before it.
_BAR = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong in a page.

    Args:
        path: the page.
        place: line, or cell and output, counted from 1.
        message: one line.
    """

    path: Path
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.place}: {self.message}"


def check_pages(paths: Iterable[Path], ours: Sequence[Measured]) -> tuple[list[Finding], int]:
    """Check pages, and all pages below folders.

    Args:
        paths: Markdown files, notebooks or folders.
        ours: our own numbers.

    Returns:
        What is wrong, and how many tables were looked at.

    Raises:
        DataError: a path does not exist or is no page.
    """
    findings: list[Finding] = []
    count = 0
    for path in _pages(paths):
        found, tables = check_page(path, ours)
        findings += found
        count += tables
    return findings, count


def check_page(path: Path, ours: Sequence[Measured]) -> tuple[list[Finding], int]:
    """Check one page.

    Returns:
        What is wrong, and how many tables were looked at.

    Raises:
        DataError: the page cannot be read.
    """
    findings = []
    count = 0
    for where, text in _texts(path):
        for begin in BEGIN.finditer(text):
            count += 1
            place = where or f"line {text[: begin.start()].count(chr(10)) + 1}"
            findings += [Finding(path, place, told) for told in _mistakes(begin, text, ours)]
    return findings, count


def _mistakes(begin: re.Match[str], text: str, ours: Sequence[Measured]) -> Iterator[str]:
    name = begin[1]
    try:
        table = find_table(name)
        fresh = markdown(table, ours)
    except DataError as error:
        yield str(error)
        return
    after = BEGIN.search(text, begin.end())
    end = text.find(END, begin.end(), after.start() if after else len(text))
    if end < 0:
        yield f"table {name}: its last line, {END}, is missing"
        return
    shown = text[begin.start() : end + len(END)]
    known = set(_NUMBER.findall(fresh)) | {line.printed for line in published()}
    for number in dict.fromkeys(_NUMBER.findall(_grid(shown))):
        if number not in known:
            yield f"table {name}: {number} has neither a row in the ledger nor a result"
    if difference := _difference(_lines(shown), _lines(fresh), len(table.heads)):
        yield f"table {name}: {difference}; `risbook results {name}` prints it as it is now"


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def _grid(text: str) -> str:
    """The rows of the table, without the addresses of links."""
    rows = [line for line in text.splitlines() if line.lstrip().startswith("|")]
    return re.sub(r"\]\([^)]*\)", "]", "\n".join(rows))


def _difference(shown: list[str], fresh: list[str], heads: int) -> str:
    """The first difference between two tables in words; empty if there is none.

    Args:
        shown: lines of the page.
        fresh: lines as they are rendered now.
        heads: how many cells name a row.
    """
    for kind, a, _, c, _ in SequenceMatcher(None, shown, fresh, autojunk=False).get_opcodes():
        if kind == "insert":
            return f"a line is missing: {_short(fresh[c])}"
        if kind == "delete":
            return f"a line is too much: {_short(shown[a])}"
        if kind == "replace":
            return _changed(shown, a, fresh, c, heads)
    return ""


def _changed(shown: list[str], a: int, fresh: list[str], c: int, heads: int) -> str:
    """What changed in line `a` of a page, where line `c` stands now; a row's first such cell.

    A row is compared with the one of the same name: beside a changed row, another may be missing
    or be too much.
    """
    was, now = _row(shown[a]), _row(fresh[c])
    grid = [row for row in map(_row, fresh) if row]
    if was and now:
        named = [row for row in grid if row[:heads] == was[:heads]]
        if not named and now[:heads] in [_row(line)[:heads] for line in shown]:
            return f"a line is too much: {_short(shown[a])}"
        now = named[0] if named else now
        for number, (old, new) in enumerate(zip_longest(was, now, fillvalue="")):
            if old != new:
                head = grid[0][number] if number < len(grid[0]) else f"{number + 1}"
                place = f"row {' '.join(was[:heads])}, column {head}"
                if now == grid[0]:
                    place = f"heading {number + 1}"
                old, new = _apart(old, new)
                return f"{place}: shown is {old or 'nothing'}, now it is {new or 'nothing'}"
    old, new = _apart(shown[a], fresh[c])
    return f"a line differs: {old}; now it is {new}"


def _row(line: str) -> list[str]:
    """The cells of a line of a table; none if it is no such line."""
    if not line.startswith("|"):
        return []
    return [cell.strip() for cell in _BAR.split(line.removeprefix("|").removesuffix("|"))]


def _apart(old: str, new: str) -> tuple[str, str]:
    """Two texts, short, from a little before their first difference if that lies far behind."""
    pairs = enumerate(zip(old, new, strict=False))
    same = next((at for at, (a, b) in pairs if a != b), min(len(old), len(new)))
    if same <= 40 or max(len(old), len(new)) <= 80:
        return _short(old), _short(new)
    return f"...{_short(old[same - 20 :])}", f"...{_short(new[same - 20 :])}"


def _short(line: str) -> str:
    return line if len(line) <= 80 else line[:77] + "..."


def _pages(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            for page in sorted(path.rglob("*")):
                inside = page.relative_to(path).parts
                if page.suffix in (".md", ".ipynb") and not any(p[0] in "._" for p in inside):
                    yield page
        elif not path.is_file():
            raise DataError(f"{path}: there is no such page or folder")
        elif path.suffix in (".md", ".ipynb"):
            yield path
        else:
            raise DataError(f"{path}: pages end with .md or .ipynb")


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    """Passages of a page with their place; a Markdown file is one passage without a place."""
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
            yield f"cell {number}", _joined(cell.get("source", ""))
        for count, output in enumerate(cell.get("outputs", ()), start=1):
            if "text/markdown" in output.get("data", {}):
                shown = _joined(output["data"]["text/markdown"])
                yield f"cell {number}, output {count}", shown


def _joined(text: Any) -> str:
    return text if isinstance(text, str) else "".join(text)
