"""What a table shows: its rows, its columns, and the kind of number in each column.

There are three kinds of number, and a column holds one of them: reported by the authors (`Reported`
and `Tuned`), run again by others (`Reported` with ``by="others"``), and run by us (`Ours`). The
fourth kind, run here, changes from run to run and is printed by the cell that ran it.
"""

from dataclasses import dataclass, field
from typing import Literal

from risbook.errors import DataError
from risbook.ledger.published import SPLITS
from risbook.ledger.selection import Filter

RN50, RN101, VIT = "CLIP RN50", "CLIP RN101", "CLIP ViT-B/16"

#: Sets as headings print them.
DATASET_TITLES = {"refcoco": "RefCOCO", "refcoco+": "RefCOCO+", "refcocog": "G-Ref"}


@dataclass(frozen=True, slots=True)
class Reported:
    """A column of published results."""

    label: str
    dataset: str  # empty where each row says it, as the split
    split: str
    metric: str = "mIoU"  # as computed
    by: Literal["authors", "others"] = "authors"  # others: who ran the released code again


@dataclass(frozen=True, slots=True)
class Tuned:
    """A column of tuned parameters, as the authors count them."""

    label: str = "Tuned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """A column of our own results: the mean over seeds, and their standard deviation."""

    label: str  # "ours" should be in it
    suite: str
    dataset: str = ""  # empty for numbers that belong to no set
    split: str = ""
    measure: str = "mIoU"  # as the result files call it
    digits: int = 1  # behind the point
    per: float = 1.0  # what values are divided by, as 1e6 for millions of parameters
    unit: str = ""  # stands behind the number


Column = Reported | Tuned | Ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a table."""

    words: tuple[str, ...]  # cells below the table's heads
    ledger: Filter | None = None  # lines of the ledger that belong to it; None if none do
    tuned: Filter = field(default_factory=dict)  # further or other conditions for Tuned
    others: Filter = field(default_factory=dict)  # the same for columns of runs by others
    ours: str = ""  # its key in our suites; empty if we have no such run


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of a chapter.

    Raises:
        DataError: two columns have one heading, or a row has too many or too few words.
    """

    name: str  # by which chapters and the command line ask for it
    title: str
    heads: tuple[str, ...]  # headings of the columns of words
    columns: tuple[Column, ...]  # of numbers
    rows: tuple[Row, ...]
    ledger: Filter = field(default_factory=dict)  # conditions that hold for all rows
    about: str = ""  # a sentence below the title

    @property
    def headings(self) -> list[str]:
        """The headings of all columns, of words and of numbers."""
        return [*self.heads, *(column.label for column in self.columns)]

    def __post_init__(self) -> None:
        if len(set(self.headings)) != len(self.headings):
            raise DataError(f"table {self.name}: two columns have the same heading")
        for row in self.rows:
            if len(row.words) != len(self.heads):
                raise DataError(f"table {self.name}: {row.words} does not fit heads {self.heads}")


def per_split(metric: str) -> tuple[Reported, ...]:
    """A column for each split of the three sets, val-g last."""
    return tuple(
        Reported(f"{title} {split}", dataset, split, metric)
        for dataset, title in DATASET_TITLES.items()
        for split in SPLITS[dataset]
    )
