"""Published numbers, each a line of one file that a person can check against its source.

Metrics are entered *as computed*, with the name that the authors gave beside it: what the ETRIS
paper prints as oIoU is the mean over expressions, so its metric is mIoU and its name oIoU.
"""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from risbook.errors import DataError
from risbook.ledger.sources import SOURCES_FILE, Source, read_sources, read_table

PUBLISHED_FILE = Path(__file__).with_name("published.csv")

#: Splits of every set. Means are over the eight splits without G-Ref's val-g, or over all nine.
SPLITS: Mapping[str, tuple[str, ...]] = {
    "refcoco": ("val", "testA", "testB"),
    "refcoco+": ("val", "testA", "testB"),
    "refcocog": ("val-u", "test-u", "val-g"),
    "all": ("mean-8", "mean-9", "mean"),
}

#: Metrics as computed, with the range in which a value must lie: percent, points or millions.
#: "IoU?" stands for an IoU of which it is not known how it was computed.
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

#: How sure a number is: the authors' paper; the authors' code, its README or logs; another
#: paper's or a reviewer's word; somebody else's run of the released code.
Evidence = Literal["paper", "code", "second-hand", "re-run"]

#: Trained on the set itself, or on several together; empty where it is not known or no matter.
TRAINING = ("single", "mixed", "")

#: A gain may be negative; the range of every other metric begins at zero or above.
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_TUNED = re.compile(r"(\d+(\.\d+)?[KM%]|0)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A published number.

    Args:
        system: model or method.
        variant: what distinguishes it from the system's main form; empty for that.
        backbone: pretrained towers.
        training: "single" set, "mixed" sets, or empty.
        dataset: "refcoco", "refcoco+", "refcocog", "all"; empty for a count of parameters.
        split: of that set.
        metric: as computed.
        named: what the authors call it; empty where they call it nothing.
        printed: the number as printed: percent, or millions of parameters.
        tuned: tuned parameters as printed, for instance "1.94M"; may be empty.
        convention: what that count includes, a key of `CONVENTIONS`.
        source: where it was read.
        place: table or section there; "digest" where only a summary of the source was read.
        evidence: how sure it is.
        note: whatever a reader has to know.
    """

    system: str
    variant: str
    backbone: str
    training: str
    dataset: str
    split: str
    metric: str
    named: str
    printed: str
    tuned: str
    convention: str
    source: Source
    place: str
    evidence: Evidence
    note: str

    @property
    def value(self) -> float:
        """The number as a number."""
        return float(self.printed)

    @property
    def identity(self) -> tuple[str, ...]:
        """What no two lines may share: the claim and where it was read."""
        claim = (self.system, self.variant, self.backbone, self.training, self.dataset)
        return (*claim, self.split, self.metric, self.source.key, self.place)


#: Columns of the file; the number stands in a column named value.
COLUMNS = tuple("value" if one.name == "printed" else one.name for one in fields(Published))


def read_published(
    path: Path = PUBLISHED_FILE, *, sources: Path = SOURCES_FILE
) -> tuple[Published, ...]:
    """Read the ledger and check every line of it.

    Args:
        path: the ledger.
        sources: the file of sources that its lines name.

    Raises:
        DataError: names the file, the line and what is wrong.
    """
    known = read_sources(sources)
    lines: dict[tuple[str, ...], str] = {}
    rows = []
    for place, cells in read_table(path, COLUMNS):
        if wrong := _mistake(cells, known):
            raise DataError(f"{place}: {wrong}")
        evidence: Evidence = next(one for one in get_args(Evidence) if one == cells["evidence"])
        given = {name: cells[name] for name in COLUMNS if name not in ("value", "evidence")}
        source = known[given.pop("source")]
        row = Published(**given, printed=cells["value"], source=source, evidence=evidence)
        if row.identity in lines:
            raise DataError(f"{place}: the same claim stands in {lines[row.identity]}")
        lines[row.identity] = place
        rows.append(row)
    return tuple(rows)


@functools.cache
def _ledger() -> tuple[Published, ...]:
    return read_published()


def published(
    rows: Sequence[Published] | None = None, /, **wanted: str | tuple[str, ...]
) -> tuple[Published, ...]:
    """Choose lines of the ledger.

    Args:
        rows: lines to choose from; the book's ledger by default.
        wanted: for any column the value it must have, or a tuple of values that will do.

    Raises:
        DataError: there is no such column.

    >>> [one] = published(system="ETRIS", backbone="CLIP RN101", split="testA", metric="mIoU",
    ...                   dataset="refcoco", evidence="paper")
    >>> one.value, one.named, one.source.address
    (74.11, 'oIoU', 'https://arxiv.org/abs/2307.11545')
    """
    for name in wanted:
        if name not in COLUMNS:
            raise DataError(f"the ledger has no column {name!r}; it has {', '.join(COLUMNS)}")
    return tuple(
        row
        for row in (_ledger() if rows is None else rows)
        if all(_cell(row, name) in _choices(value) for name, value in wanted.items())
    )


def _cell(row: Published, name: str) -> str:
    if name == "source":
        return row.source.key
    return str(getattr(row, "printed" if name == "value" else name))


def _choices(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _mistake(cells: Mapping[str, str], known: Mapping[str, Source]) -> str:
    """What is wrong with a line; empty if nothing is."""
    dataset, split, metric = cells["dataset"], cells["split"], cells["metric"]
    if not cells["system"]:
        return "the system has no name"
    if metric not in METRICS:
        return f"unknown metric {metric!r}; known: {', '.join(METRICS)}"
    if metric in OF_MODELS:
        if dataset or split:
            return f"{metric} belongs to a model: leave dataset and split empty"
    elif dataset not in SPLITS:
        return f"unknown dataset {dataset!r}; known: {', '.join(SPLITS)}"
    elif split not in SPLITS[dataset]:
        return f"unknown split {split!r} of {dataset}; known: {', '.join(SPLITS[dataset])}"
    low, high = METRICS[metric]
    if not _NUMBER.fullmatch(cells["value"]):
        return f"value {cells['value']!r} is not a number such as 71.06"
    if not low <= float(cells["value"]) <= high:
        return f"{metric} {cells['value']} lies outside {low:g} to {high:g}"
    if not cells["source"]:
        return "the source is missing"
    if cells["source"] not in known:
        return f"unknown source {cells['source']!r}; add it to {SOURCES_FILE.name}"
    for name, choices in (
        ("evidence", get_args(Evidence)),
        ("training", TRAINING),
        ("convention", tuple(CONVENTIONS)),
    ):
        if cells[name] not in choices:
            return f"unknown {name} {cells[name]!r}; known: {', '.join(filter(None, choices))}"
    if not _TUNED.fullmatch(cells["tuned"]):
        return f"tuned {cells['tuned']!r} is not a count such as 1.94M or 1.93%"
    if bool(cells["tuned"]) != bool(cells["convention"]):
        return "a count of tuned parameters and its convention need each other"
    return ""
