"""Published numbers, each a line of one file that a person can check against its source.

Metrics are entered *as computed*, with the name that the authors gave beside it: what the ETRIS
paper prints as oIoU is the mean over expressions, so its metric is mIoU and its name oIoU.
"""

import functools
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from risbook.errors import DataError
from risbook.ledger.selection import select
from risbook.ledger.sources import Source, read_sources, read_table

PUBLISHED_FILE = Path(__file__).with_name("published.csv")

#: Splits of every set. Means are over the eight splits without G-Ref's val-g, or over all nine.
SPLITS: Mapping[str, tuple[str, ...]] = {
    "refcoco": ("val", "testA", "testB"),
    "refcoco+": ("val", "testA", "testB"),
    "refcocog": ("val-u", "test-u", "val-g"),
    "all": ("mean-8", "mean-9", "mean"),
}

#: Metrics as computed, with the range in which a value must lie: percent, points or millions.
#: "IoU?" stands for an IoU whose computation is unknown.
METRICS: Mapping[str, tuple[float, float]] = {
    "mIoU": (1, 100),
    "oIoU": (1, 100),
    "IoU?": (1, 100),
    **{f"Pr@{threshold}": (0, 100) for threshold in ("0.5", "0.6", "0.7", "0.8", "0.9")},
    "gain": (-100, 100),
    "share": (0, 100),
    "params-backbone": (0, 100_000),
    "params-decoder": (0, 100_000),
    "params-total": (0, 100_000),
}

#: Metrics that belong to a model and not to a split.
OF_MODELS = ("share", "params-backbone", "params-decoder", "params-total")

#: What a count of tuned parameters includes.
CONVENTIONS: Mapping[str, str] = {
    "": "no count is given",
    "backbone": "tuned in the backbone or added to it; neck, decoder and head do not count",
    "prompt": "learned prompts alone",
    "with decoder": "everything that trains, decoder included",
}

#: How sure a number is: the authors' paper; the authors' code, its README or logs; a paper or a
#: review by others; a run of the released code by others.
EVIDENCE = ("paper", "code", "second-hand", "re-run")

#: Trained on the set itself, or on several together; empty where that is unknown.
TRAINING = ("single", "mixed", "")

#: A gain may be negative; the range of every other metric begins at zero or above.
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_TUNED = re.compile(r"(\d+(\.\d+)?[KM%]|0)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A published number: a line of the ledger."""

    system: str  # model or method
    variant: str  # what distinguishes it from the system's main form; empty for that
    backbone: str  # pretrained towers
    training: str  # of TRAINING
    dataset: str  # of SPLITS; empty for a count of parameters
    split: str  # of that set
    metric: str  # as computed
    named: str  # what the authors call it; empty where they call it nothing
    printed: str  # the number as printed: percent, points, or millions of parameters
    tuned: str  # tuned parameters as printed, for instance "1.94M"; may be empty
    convention: str  # what that count includes, a key of CONVENTIONS
    source: Source  # where it was read
    place: str  # table or section; "digest" where only a summary of the source was read
    evidence: str  # of EVIDENCE
    note: str  # whatever a reader has to know

    @property
    def value(self) -> float:
        """The number as a number."""
        return float(self.printed)


COLUMNS = tuple(column.name for column in fields(Published))

#: What no two lines may share: the claim and where it was read.
_CLAIM = (*COLUMNS[: COLUMNS.index("named")], "source", "place")


def read_published(path: Path = PUBLISHED_FILE) -> tuple[Published, ...]:
    """Read the ledger and check every line of it.

    Raises:
        DataError: names the file, the line and what is wrong.
    """
    sources = read_sources()
    places: dict[tuple[str, ...], str] = {}
    lines = []
    for place, cells in read_table(path, COLUMNS):
        if mistake := _find_mistake(cells, sources):
            raise DataError(f"{place}: {mistake}")
        claim = tuple(cells[name] for name in _CLAIM)
        if claim in places:
            raise DataError(f"{place}: the same claim stands in {places[claim]}")
        places[claim] = place
        values: dict[str, Any] = {**cells, "source": sources[cells["source"]]}
        lines.append(Published(**values))
    return tuple(lines)


_read_once = functools.cache(read_published)


def published(**wanted: str | tuple[str, ...]) -> tuple[Published, ...]:
    """Choose lines of the book's ledger by their columns; see `select`.

    >>> [line] = published(system="ETRIS", backbone="CLIP RN101", split="testA", metric="mIoU",
    ...                    dataset="refcoco", evidence="paper")
    >>> line.value, line.named, line.source.address
    (74.11, 'oIoU', 'https://arxiv.org/abs/2307.11545')
    """
    return select(_read_once(), **wanted)


def _find_mistake(cells: Mapping[str, str], sources: Mapping[str, Source]) -> str:
    """What is wrong with a line; empty if nothing is."""
    dataset, metric = cells["dataset"], cells["metric"]
    splits: Mapping[str, tuple[str, ...]] = {"": ("",)} if metric in OF_MODELS else SPLITS
    choices: dict[str, Collection[str]] = {
        "metric": METRICS,
        "dataset": splits,
        "split": splits.get(dataset, ()),
        "source": sources,
        "evidence": EVIDENCE,
        "training": TRAINING,
        "convention": CONVENTIONS,
    }
    if not cells["system"]:
        return "the system has no name"
    if metric in OF_MODELS and (dataset or cells["split"]):
        return f"{metric} belongs to a model: leave dataset and split empty"
    for name, values in choices.items():
        if cells[name] not in values:
            names = ", ".join(value or "(empty)" for value in values)
            return f"unknown {name} {cells[name]!r}; known: {names}"
    low, high = METRICS[metric]
    if not _NUMBER.fullmatch(cells["printed"]):
        return f"printed {cells['printed']!r} is not a number such as 71.06"
    if not low <= float(cells["printed"]) <= high:
        return f"{metric} {cells['printed']} lies outside {low:g} to {high:g}"
    if not _TUNED.fullmatch(cells["tuned"]):
        return f"tuned {cells['tuned']!r} is not a count such as 1.94M or 1.93%"
    if bool(cells["tuned"]) != bool(cells["convention"]):
        return "a count of tuned parameters and its convention need each other"
    return ""
