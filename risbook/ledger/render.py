"""Tables as Markdown that Jupyter and the book both show.

A rendered table stands between two comments, which readers do not see. They name the table, so
that `risbook results --check` can render it again and compare.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from risbook.errors import DataError
from risbook.ledger.cells import NONE, Cell, fill
from risbook.ledger.measured import Measured, read_measured
from risbook.ledger.named_tables import TABLES
from risbook.ledger.published import CONVENTIONS, Published
from risbook.ledger.tables import Column, Ours, Reported, Row, Table, Tuned

BEGIN = re.compile(r"^<!-- risbook results: (\S+) -->[ \t]*$", re.MULTILINE)
END = "<!-- end of risbook results -->"
SECOND_HAND = "†"

#: Two names of one metric.
_SAME = {"cIoU": "oIoU"}


@dataclass(frozen=True, slots=True)
class Rendered:
    """A table that a notebook shows when it is the last line of a cell.

    Args:
        markdown: the table between its two comments.
    """

    markdown: str

    def _repr_markdown_(self) -> str:
        return self.markdown

    def __repr__(self) -> str:
        return self.markdown


def find_table(name: str) -> Table:
    """Look up a table of the book.

    Raises:
        DataError: there is no such table.
    """
    for table in TABLES:
        if table.name == name:
            return table
    known = ", ".join(table.name for table in TABLES)
    raise DataError(f"there is no table {name!r}; there are {known}")


def show_table(name: str) -> Rendered:
    """A table of the book with the numbers that there are now.

    Raises:
        DataError: there is no such table.
    """
    return Rendered(markdown(find_table(name), read_measured()))


def markdown(
    table: Table, ours: Sequence[Measured], lines: Sequence[Published] | None = None
) -> str:
    """Render a table.

    Args:
        table: the table.
        ours: our own numbers.
        lines: of the ledger; the book's by default.

    Returns:
        Markdown between two comments.
    """
    filled = fill(table, ours, lines)
    sources = [_sources(cells) for cells in filled]
    several = len({one for one in sources if one != NONE}) > 1
    labels = [*table.heads, *(column.label for column in table.columns)]
    rules = [":---"] * len(table.heads) + ["---:"] * len(table.columns)
    if several:
        labels, rules = [*labels, "Source"], [*rules, ":---"]
    body = []
    for row, cells, source in zip(table.rows, filled, sources, strict=True):
        texts = [cell.text + SECOND_HAND * cell.second_hand for cell in cells]
        body.append([*row.words, *texts, *([source] if several else [])])
    grid = [_line(cells) for cells in (labels, rules, *body)]
    head = f"**{table.title}.**" + f" {table.about}" * bool(table.about)
    only = [] if several else [f"Source: {one}." for one in dict.fromkeys(sources) if one != NONE]
    feet = "\n".join(f"- {foot}" for foot in [*only, *_feet(table, filled)])
    parts = [f"<!-- risbook results: {table.name} -->", head, "\n".join(grid), feet, END]
    return "\n\n".join(part for part in parts if part)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _sources(cells: Sequence[Cell]) -> str:
    links = [cell.published.source.link() for cell in cells if cell.published]
    return "; ".join(dict.fromkeys(links)) or NONE


def _feet(table: Table, filled: Sequence[Sequence[Cell]]) -> Iterator[str]:
    """Lines below a table: the kind of every column, metrics and their names, notes."""
    by_kind: dict[str, list[str]] = {}
    for column, below in zip(table.columns, zip(*filled, strict=True), strict=True):
        by_kind.setdefault(_kind(column, below), []).append(column.label)
    for kind, labels in by_kind.items():
        yield f"*{kind}*: {', '.join(labels)}."
    flat = [cell for cells in filled for cell in cells]
    yield from _conventions(table, filled)
    if any(cell.second_hand for cell in flat):
        yield f"{SECOND_HAND} *Second-hand*: read in another's table or words; see the source."
    if any(len(cell.measured) > 1 for cell in flat):
        yield "±: standard deviation over seeds."
    runs = [one for cell in flat for one in cell.measured]
    for word, told in (
        ("precision", dict.fromkeys(one.precision for one in runs)),
        ("towers", dict.fromkeys(one.origin for one in runs)),
        ("budget", dict.fromkeys(one.budget for one in runs)),
    ):
        if any(told):
            yield f"Our {word}: {', '.join(filter(None, told))}."
    if runs:
        yield f"Our command: `{_common_command([one.command for one in runs])}`."
    yield from _names(table, filled)
    for row, cells in zip(table.rows, filled, strict=True):
        pairs = zip(table.columns, cells, strict=True)
        # A count's line is any line with that count; its note may be about the score there.
        told_by = [cell.published for column, cell in pairs if not isinstance(column, Tuned)]
        for note in dict.fromkeys(line.note for line in told_by if line):
            if note:
                yield f"{_name(row)}: {note}."


def _common_command(commands: Sequence[str]) -> str:
    """The words with which all commands begin, without an option that lacks its value."""
    words = [command.split() for command in commands]
    common = [same[0] for same in zip(*words, strict=False) if len(set(same)) == 1]
    # Words behind the first difference may agree again, which is no beginning.
    while common and any(one[: len(common)] != common for one in words):
        common.pop()
    if common and common[-1].startswith("--") and any(one != common for one in words):
        common.pop()
    return " ".join(common)


def _conventions(table: Table, filled: Sequence[Sequence[Cell]]) -> Iterator[str]:
    """What counts of tuned parameters include; with names where that differs."""
    rows: dict[str, list[str]] = {}
    for row, cells in zip(table.rows, filled, strict=True):
        for column, cell in zip(table.columns, cells, strict=True):
            if isinstance(column, Tuned) and cell.published:
                rows.setdefault(cell.published.convention, []).append(row.words[0])
    for convention, names in rows.items():
        whose = f" ({', '.join(names)})" if convention != next(iter(rows)) else ""
        yield f"Tuned parameters{whose}: {CONVENTIONS[convention]}."


def _name(row: Row) -> str:
    return ", ".join(word for word in row.words if word != NONE)


def _kind(column: Column, cells: Sequence[Cell]) -> str:
    if not isinstance(column, Ours):
        others = isinstance(column, Reported) and column.by == "others"
        return "Run again by others" if others else "Reported by the authors"
    runs = [one for cell in cells for one in cell.measured]
    if not runs:
        return "Run by us, not yet"
    dates = sorted({one.date for one in runs})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return f"Run by us on {runs[0].device}, {when}"


def _names(table: Table, filled: Sequence[Sequence[Cell]]) -> Iterator[str]:
    """A line for every source that calls a metric by another metric's name."""
    seen: dict[tuple[str, str], list[str]] = {}
    for column, cells in zip(table.columns, zip(*filled, strict=True), strict=True):
        for line in (cell.published for cell in cells if isinstance(column, Reported)):
            if line is None or line.metric not in ("mIoU", "oIoU") or not line.named:
                continue
            if _SAME.get(line.named, line.named) not in (line.metric, "Avg"):
                titles = seen.setdefault((line.named, line.metric), [])
                if line.source.title not in titles:
                    titles.append(line.source.title)
    for (named, metric), titles in seen.items():
        yield f"Named {named} in {'; '.join(titles)}, computed as {metric}."
