"""What a table shows: its rows, its columns, and the kind of number in each column.

There are three kinds of number, and a column holds one of them: reported by the authors (`Reported`
and `Tuned`), run again by others (`Reported` with ``by="others"``), and run by us (`Ours`). The
fourth kind, run here, changes from run to run and is printed by the cell that ran it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from risbook.errors import DataError

#: Values that columns of the ledger must have; see `risbook.ledger.published.published`.
Filter = Mapping[str, str | tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Reported:
    """A column of published results.

    Args:
        label: its heading.
        dataset: of the results.
        split: of the results.
        metric: as computed.
        by: "authors" (second-hand lines are marked), or "others" for runs of the released code.
    """

    label: str
    dataset: str
    split: str
    metric: str = "mIoU"
    by: Literal["authors", "others"] = "authors"


@dataclass(frozen=True, slots=True)
class Tuned:
    """A column of tuned parameters, as the authors count them.

    Args:
        label: its heading.
    """

    label: str = "Tuned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """A column of our own results: the mean over seeds, and their spread where there are several.

    Args:
        label: its heading; "ours" should be in it.
        suite: of runs.
        dataset: name of the set; empty for numbers that belong to none.
        split: of that set.
        measure: "mIoU" and so on, as the result files call it.
        digits: behind the point.
        per: what values are divided by, as 1e6 for millions of parameters.
        unit: stands behind the number.
    """

    label: str
    suite: str
    dataset: str = ""
    split: str = ""
    measure: str = "mIoU"
    digits: int = 1
    per: float = 1.0
    unit: str = ""


Column = Reported | Tuned | Ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a table.

    Args:
        words: cells below the table's heads, in words.
        ledger: which lines of the ledger belong to it; None if none do.
        tuned: further or other conditions for the column `Tuned`.
        others: further or other conditions for columns of runs by others.
        ours: its key in our suites; empty if we have no such run.
    """

    words: tuple[str, ...]
    ledger: Filter | None = None
    tuned: Filter = field(default_factory=dict)
    others: Filter = field(default_factory=dict)
    ours: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of a chapter.

    Args:
        name: by which chapters and the command line ask for it.
        title: one line.
        heads: headings of the columns of words.
        columns: of numbers.
        rows: in order.
        ledger: conditions that hold for all rows.
        about: a sentence below the title.

    Raises:
        DataError: two columns have one heading, or a row has too many or too few words.
    """

    name: str
    title: str
    heads: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    ledger: Filter = field(default_factory=dict)
    about: str = ""

    def __post_init__(self) -> None:
        """Check headings and rows."""
        labels = [*self.heads, *(column.label for column in self.columns)]
        if len(set(labels)) != len(labels):
            raise DataError(f"table {self.name}: two columns have the same heading")
        for row in self.rows:
            if len(row.words) != len(self.heads):
                raise DataError(f"table {self.name}: {row.words} does not fit heads {self.heads}")

    def conditions(self, row: Row) -> Filter:
        """Conditions for the ledger's lines of a row."""
        return {**self.ledger, **(row.ledger or {})}
