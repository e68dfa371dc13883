"""The numbers of a table, each with the line of the ledger or the runs that it comes from."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from risbook.errors import DataError
from risbook.ledger.measured import Measured
from risbook.ledger.published import Published, published
from risbook.ledger.selection import Filter, select
from risbook.ledger.tables import Ours, Reported, Row, Table, Tuned

#: What stands where there is no number.
NONE = "–"

#: What marks a number that was read in another's table.
SECOND_HAND = "†"


@dataclass(frozen=True, slots=True)
class Cell:
    """A number in a table and where it comes from."""

    text: str = NONE
    published: Published | None = None
    runs: tuple[Measured, ...] = ()  # ours, one per seed

    @property
    def second_hand(self) -> bool:
        """Whether the number was read in another's table."""
        return self.published is not None and self.published.evidence == "second-hand"


def fill_table(table: Table, ours: Sequence[Measured]) -> list[list[Cell]]:
    """Look up the numbers of a table in the ledger and among ours.

    Returns:
        Cells by row and by column of numbers.

    Raises:
        DataError: a cell is ambiguous, or a column holds runs on several devices or budgets.
    """
    grid = [
        [
            _our_cell(row, column, ours)
            if isinstance(column, Ours)
            else _published_cell(table, row, column)
            for column in table.columns
        ]
        for row in table.rows
    ]
    for column, cells in zip(table.columns, zip(*grid, strict=True), strict=True):
        for name in ("device", "budget"):
            runs = {getattr(run, name) or f"no {name}": run for cell in cells for run in cell.runs}
            if len(runs) > 1:
                # Names of files alone repeat from suite to suite.
                examples = (
                    f"{value} ({run.file.parent.name}/{run.file.name})"
                    for value, run in sorted(runs.items())
                )
                raise DataError(
                    f"table {table.name}, column {column.label}: runs with "
                    f"{' and with '.join(examples)} do not share a column"
                )
    return grid


def records(table: Table, ours: Sequence[Measured]) -> list[dict[str, Any]]:
    """The rows of a table as plain values, each number with its origin."""
    return [
        dict(zip(table.headings, [*row.words, *map(_record, cells)], strict=True))
        for row, cells in zip(table.rows, fill_table(table, ours), strict=True)
    ]


def _record(cell: Cell) -> dict[str, Any] | None:
    if cell.published:
        source = cell.published.source.address
        return {"text": cell.text, **asdict(cell.published), "source": source}
    if cell.runs:
        runs = [{**asdict(run), "file": run.file.name} for run in cell.runs]
        return {"text": cell.text, "evidence": "run by us", "runs": runs}
    return None


def _our_cell(row: Row, column: Ours, ours: Sequence[Measured]) -> Cell:
    runs = select(
        ours,
        suite=column.suite,
        row=row.ours,
        dataset=column.dataset,
        split=column.split,
        measure=column.measure,
    )
    if not runs:
        return Cell()
    values = [run.value / column.per for run in runs]
    text = f"{statistics.fmean(values):.{column.digits}f}"
    if len(set(values)) > 1:
        text += f" ± {statistics.stdev(values):.{column.digits}f}"
    return Cell(text + (column.unit if any(values) else ""), runs=runs)


def _published_cell(table: Table, row: Row, column: Reported | Tuned) -> Cell:
    if row.ledger is None:
        return Cell()
    conditions: Filter = {**table.ledger, **row.ledger}
    if isinstance(column, Tuned):
        value = option = "tuned"
        # A count stands in many lines, beside each score of its model.
        counts = {line.tuned: line for line in published(**{**conditions, **row.tuned})}
        matches = [line for count, line in counts.items() if count]
    else:
        value, option = "printed", "ledger"
        evidence: tuple[str, ...] = ("paper", "code", "second-hand")
        if column.by == "others":
            option, evidence = "others", ("re-run",)
            # Who runs released code again publishes it elsewhere than the authors.
            shared = {name: wanted for name, wanted in conditions.items() if name != "source"}
            conditions = {**shared, **row.others}
        place = {"metric": column.metric}
        if column.dataset:
            place |= {"dataset": column.dataset, "split": column.split}
        matches = list(published(**{**conditions, **place, "evidence": evidence}))
    if len(matches) > 1:
        raise DataError(
            f"table {table.name}, row {' '.join(row.words)}, column {column.label}: "
            f"{len(matches)} lines of the ledger fit: "
            f"{'; '.join(_describe(line, getattr(line, value)) for line in matches)}; "
            f"say which in Row.{option}"
        )
    return Cell(getattr(matches[0], value), matches[0]) if matches else Cell()


def _describe(line: Published, number: str) -> str:
    claim = (line.system, line.variant, line.backbone, line.training, line.dataset, line.split)
    return f"{', '.join(filter(None, claim))} ({line.source}, {line.place}) {number}"
