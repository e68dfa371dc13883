"""The numbers of a table, looked up in the ledger and in our result files."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from risbook.errors import DataError
from risbook.ledger.measured import Measured, measured
from risbook.ledger.published import Evidence, Published, published
from risbook.ledger.tables import Column, Ours, Row, Table, Tuned

#: What stands where there is no number.
NONE = "–"

_AUTHORS: tuple[Evidence, ...] = ("paper", "code", "second-hand")

#: What may tell two lines of one cell apart, besides system, source and place.
_TELLING = ("variant", "backbone", "training", "dataset", "split")


@dataclass(frozen=True, slots=True)
class Cell:
    """A number in a table and where it comes from.

    Args:
        text: what is printed; `NONE` where there is nothing to print.
        published: the line of the ledger.
        measured: the numbers of ours, one a seed.
    """

    text: str = NONE
    published: Published | None = None
    measured: tuple[Measured, ...] = ()

    @property
    def second_hand(self) -> bool:
        """Whether the number was read in somebody else's table."""
        return self.published is not None and self.published.evidence == "second-hand"


def fill(
    table: Table, ours: Sequence[Measured], lines: Sequence[Published] | None = None
) -> list[list[Cell]]:
    """Look up the numbers of a table.

    Args:
        table: the table.
        ours: our own numbers.
        lines: of the ledger; the book's by default.

    Returns:
        Cells by row and by column of numbers.

    Raises:
        DataError: a cell is ambiguous, or a column holds runs on several devices or budgets.
    """
    filled = [[_cell(table, row, one, ours, lines) for one in table.columns] for row in table.rows]
    for column, cells in zip(table.columns, zip(*filled, strict=True), strict=True):
        runs = [one for cell in cells for one in cell.measured]
        for kind in ("device", "budget"):
            files: dict[str, list[str]] = {}
            for one in runs:
                files.setdefault(getattr(one, kind) or f"no {kind}", []).append(_file(one))
            if len(files) > 1:
                told = (f"{value} ({_some(files[value])})" for value in sorted(files))
                raise DataError(
                    f"table {table.name}, column {column.label}: runs with "
                    f"{' and with '.join(told)} do not share a column"
                )
    return filled


def records(
    table: Table, ours: Sequence[Measured], lines: Sequence[Published] | None = None
) -> list[dict[str, Any]]:
    """The rows of a table as plain values, each number with its origin."""
    found = []
    for row, cells in zip(table.rows, fill(table, ours, lines), strict=True):
        record: dict[str, Any] = dict(zip(table.heads, row.words, strict=True))
        for column, cell in zip(table.columns, cells, strict=True):
            record[column.label] = None if cell.text == NONE else _origin(cell)
        found.append(record)
    return found


def _origin(cell: Cell) -> dict[str, Any]:
    if cell.published is not None:
        line = cell.published
        where = {"source": line.source.address, "place": line.place, "note": line.note}
        return {"text": cell.text, "named": line.named, "evidence": line.evidence, **where}
    runs = [
        {
            "value": one.value,
            "seed": one.seed,
            "command": one.command,
            "date": one.date,
            "device": one.device,
            "precision": one.precision,
            "origin": one.origin,
            "budget": one.budget,
            "file": one.file.name,
        }
        for one in cell.measured
    ]
    return {"text": cell.text, "evidence": "run by us", "runs": runs}


def _file(run: Measured) -> str:
    """The result file with its folder: names of files alone repeat from suite to suite."""
    return f"{run.file.parent.name}/{run.file.name}"


def _some(names: Sequence[str], most: int = 3) -> str:
    """The first few of some names, each once."""
    once = list(dict.fromkeys(names))
    more = [f"{len(once) - most} more"] if len(once) > most else []
    return ", ".join([*once[:most], *more])


def _told(lines: Sequence[Published], value: str) -> str:
    """Lines of the ledger in words: where each was read, its number, and what sets it apart."""
    apart = [name for name in _TELLING if len({getattr(one, name) for one in lines}) > 1]
    words = []
    for one in lines:
        own = "".join(f", {name} {getattr(one, name) or 'empty'}" for name in apart)
        where = f"{one.source.key}, {one.place}"
        words.append(f"{one.system}{own} ({where}) {getattr(one, value)}")
    return "; ".join(words)


def _cell(
    table: Table,
    row: Row,
    column: Column,
    ours: Sequence[Measured],
    lines: Sequence[Published] | None,
) -> Cell:
    if isinstance(column, Ours):
        return _our_cell(row, column, ours)
    if row.ledger is None:
        return Cell()
    if isinstance(column, Tuned):
        wanted = {**table.conditions(row), **row.tuned}
        choices = {one.tuned: one for one in published(lines, **wanted) if one.tuned}
        fitting, told_in = list(choices.values()), "tuned"
    else:
        place = {"dataset": column.dataset, "split": column.split, "metric": column.metric}
        if column.by == "authors":
            wanted = {**table.conditions(row), **place, "evidence": _AUTHORS}
            told_in = "ledger"
        else:
            # Others tell of their runs on pages of their own.
            own = {key: value for key, value in table.conditions(row).items() if key != "source"}
            wanted = {**own, **row.others, **place, "evidence": "re-run"}
            told_in = "others"
        fitting = list(published(lines, **wanted))
    value = "tuned" if isinstance(column, Tuned) else "printed"
    if len(fitting) > 1:
        where = f"table {table.name}, row {' '.join(row.words)}, column {column.label}"
        raise DataError(
            f"{where}: {len(fitting)} lines of the ledger fit: {_told(fitting, value)}; "
            f"say which in Row.{told_in}"
        )
    if not fitting:
        return Cell()
    return Cell(getattr(fitting[0], value), fitting[0])


def _our_cell(row: Row, column: Ours, ours: Sequence[Measured]) -> Cell:
    if not row.ours:
        return Cell()
    place = {"dataset": column.dataset, "split": column.split, "measure": column.measure}
    runs = measured(ours, suite=column.suite, row=row.ours, **place)
    if not runs:
        return Cell()
    values = [one.value / column.per for one in runs]
    text = f"{statistics.fmean(values):.{column.digits}f}"
    if len(set(values)) > 1:
        text += f" ± {statistics.stdev(values):.{column.digits}f}"
    return Cell(text + (column.unit if any(values) else ""), None, runs)
