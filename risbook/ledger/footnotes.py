"""What stands below a table: where its numbers come from, and what a reader has to know."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import TypeVar

from risbook.ledger.cells import NONE, SECOND_HAND, Cell
from risbook.ledger.published import CONVENTIONS
from risbook.ledger.tables import Column, Ours, Reported, Table, Tuned

Key = TypeVar("Key")

#: Names of each metric that need no explanation.
_PLAIN_NAMES = {"mIoU": ("", "mIoU", "Avg"), "oIoU": ("", "oIoU", "cIoU", "Avg")}


def footnotes(table: Table, grid: Sequence[Sequence[Cell]]) -> Iterator[str]:
    """The notes of a table, one line each, from its cells by row and by column."""
    columns = list(zip(table.columns, zip(*grid, strict=True), strict=True))
    all_cells = [cell for cells in grid for cell in cells]
    kinds = _group((_kind(column, cells), column.label) for column, cells in columns)
    for kind, labels in kinds.items():
        yield f"*{kind}*: {', '.join(labels)}."
    conventions = _group(
        (cell.published.convention, row.words[0])
        for column, cells in columns
        for row, cell in zip(table.rows, cells, strict=True)
        if isinstance(column, Tuned) and cell.published
    )
    for number, (convention, systems) in enumerate(conventions.items()):
        # The first convention is the rule, and systems with another one are named.
        whose = f" ({', '.join(systems)})" if number else ""
        yield f"Tuned parameters{whose}: {CONVENTIONS[convention]}."
    if any(cell.second_hand for cell in all_cells):
        yield f"{SECOND_HAND} *Second-hand*: read in another's table or words; see the source."
    yield from _notes_on_runs(all_cells)
    names = _group(
        ((line.named, line.metric), line.source.title)
        for column, cells in columns
        if isinstance(column, Reported)
        for line in (cell.published for cell in cells if cell.published)
        if line.named not in _PLAIN_NAMES.get(line.metric, (line.named,))
    )
    for (named, metric), titles in names.items():
        yield f"Named {named} in {'; '.join(titles)}, computed as {metric}."
    for row, cells in zip(table.rows, grid, strict=True):
        # A count's line is any line with that count; its note may be about the score there.
        lines = [
            cell.published
            for column, cell in zip(table.columns, cells, strict=True)
            if cell.published and not isinstance(column, Tuned)
        ]
        for note in dict.fromkeys(line.note for line in lines if line.note):
            yield f"{', '.join(word for word in row.words if word != NONE)}: {note}."


def _group(pairs: Iterable[tuple[Key, str]]) -> Mapping[Key, Iterable[str]]:
    """Values by key, each once, in the order of their appearance."""
    groups: dict[Key, dict[str, None]] = {}
    for key, value in pairs:
        groups.setdefault(key, {})[value] = None
    return groups


def _kind(column: Column, cells: Sequence[Cell]) -> str:
    """Which of the three kinds of number stands in a column; ours with device and dates."""
    if not isinstance(column, Ours):
        by_others = isinstance(column, Reported) and column.by == "others"
        return "Run again by others" if by_others else "Reported by the authors"
    runs = [run for cell in cells for run in cell.runs]
    if not runs:
        return "Run by us, not yet"
    dates = sorted(run.date for run in runs)
    period = " to ".join(sorted({dates[0], dates[-1]}))
    return f"Run by us on {runs[0].device}, {period}"


def _notes_on_runs(cells: Sequence[Cell]) -> Iterator[str]:
    runs = [run for cell in cells for run in cell.runs]
    if any(len(cell.runs) > 1 for cell in cells):
        yield "±: standard deviation over seeds."
    for label, name in (("precision", "precision"), ("towers", "origin"), ("budget", "budget")):
        values = dict.fromkeys(getattr(run, name) for run in runs)
        if any(values):
            yield f"Our {label}: {', '.join(filter(None, values))}."
    if runs:
        yield f"Our command: `{_common_command([run.command for run in runs])}`."


def _common_command(commands: Sequence[str]) -> str:
    """The words with which all commands begin, without an option that lacks its value."""
    words = [command.split() for command in commands]
    by_place = zip(*words, strict=False)
    common = [same[0] for same in takewhile(lambda same: len(set(same)) == 1, by_place)]
    if len(set(commands)) > 1 and common and common[-1].startswith("--"):
        common.pop()
    return " ".join(common)
