"""Our own numbers, read from result files that say where they come from.

A result file is what `risbook.evaluation.write_result` writes: one JSON object with command,
date, device and rows. A file of a suite of runs adds to it

- ``suite``: the suite's name; without it the folder below the results folder names the suite, or
  the file itself;
- ``row``, the key by which tables ask for it (without it, the system's name), ``seed``,
  ``precision`` and ``origin`` (of the towers' weights), all of which a row may replace;
- any numbers of the run as a whole, as ``tuned`` (parameters) or ``seconds``;
- in each row ``set`` and ``split`` where its numbers belong to one, and any numbers.

mIoU, oIoU and Pr@X are shares from 0 to 1 in files, and percent here. A suite may be one file, or
a folder with a file per run, so that a suite that was stopped keeps what it has.
"""

import datetime
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from risbook.errors import DataError, warn_user
from risbook.files import read_json

_PACKAGE = Path(__file__).resolve().parents[1]

#: Checkpoints that come with the package, each with its scores.
SHIPPED = _PACKAGE / "checkpoints"

#: Keys with whole numbers that are no measures.
_NO_MEASURES = ("count", "seed")

_NEEDED = ("command", "date", "device", "rows")

#: What no two numbers may share.
_IDENTITY = attrgetter("suite", "row", "dataset", "split", "measure", "seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A number of ours."""

    suite: str  # the runs that it belongs to; a shipped checkpoint is its own suite
    row: str  # key of the run inside the suite
    dataset: str  # as "refscenes"; empty where the number belongs to no set
    split: str  # of that set
    measure: str  # "mIoU", "oIoU", "Pr@0.5" (percent), "tuned" (parameters), or as in the file
    value: float
    seed: int | None  # of the run; None where the file does not say
    command: str  # that gives the number again
    date: str  # as 2026-01-31
    device: str  # in words
    precision: str  # "bf16" and so on; empty where the file does not say
    origin: str  # of the towers' weights; empty where the file does not say
    budget: str  # of training and evaluation; may be empty
    file: Path


def results_folder() -> Path:
    """``book/results`` of the repository that the package lies in, or else of this folder."""
    book = _PACKAGE.parent / "book"
    return book / "results" if book.is_dir() else Path("book", "results")


def read_measured(folder: Path | None = None, *, shipped: Path = SHIPPED) -> tuple[Measured, ...]:
    """Read all result files.

    A file whose name begins with a dot or does not end with .json is unfinished and does not
    count. A file that stops in the middle is left out with a warning.

    Args:
        folder: of result files; `results_folder()` by default. It need not exist.
        shipped: folder of checkpoints with a ``scores.json`` each.

    Raises:
        DataError: names the file and what is wrong in it.
    """
    folder = folder or results_folder()
    files = {path: path.parent.name for path in sorted(shipped.glob("*/scores.json"))}
    for path in sorted(folder.rglob("*.json")):
        parts = path.relative_to(folder).parts
        if not any(part.startswith(".") for part in parts):
            files[path] = parts[0].removesuffix(".json")
    numbers: dict[Any, Measured] = {}
    for path, suite in files.items():
        for number in _read_file(path, suite):
            first = numbers.setdefault(_IDENTITY(number), number)
            if first is not number:
                raise DataError(
                    f"{path}: {number.row} {number.measure} stands in {first.file}, too"
                )
    return tuple(numbers.values())


def _read_file(path: Path, suite: str) -> Iterator[Measured]:
    try:
        content = read_json(path)
    except DataError:
        warn_user(f"{path}: not a whole JSON document; left out")
        return
    if not isinstance(content, dict) or not set(_NEEDED) <= set(content):
        raise DataError(f"{path}: not a result file ({', '.join(_NEEDED)} are needed)")
    if not isinstance(content["rows"], list):
        raise DataError(f"{path}: rows has to be a list")
    try:
        datetime.date.fromisoformat(content["date"])
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: date {content['date']!r} is not like 2026-01-31") from error
    content = {"suite": suite, **content}
    # Numbers of the run as a whole are read like a row without set and split.
    yield from _read_row(content, content, path, f"{path}")
    for number, row in enumerate(content["rows"], start=1):
        if not isinstance(row, dict):
            raise DataError(f"{path}: row {number} is not a JSON object")
        yield from _read_row(row, {**content, **row}, path, f"{path}: row {number}")


def _read_row(
    row: Mapping[str, Any], content: Mapping[str, Any], path: Path, place: str
) -> Iterator[Measured]:
    """Numbers of a row; `content` says what the row does not, `place` is for messages."""
    key, seed = content.get("row") or content.get("system"), content.get("seed")
    texts = ("suite", "command", "date", "device", "precision")
    about: dict[str, Any] = {name: str(content.get(name) or "") for name in texts}
    if type(seed) not in (int, type(None)):  # True is an int as well
        raise DataError(f"{place}: seed {seed!r} is not a whole number")
    for measure, value in row.items():
        if measure in _NO_MEASURES or type(value) not in (int, float):
            continue
        if not key:
            raise DataError(f"{place} has no key: neither row nor system is given")
        if not math.isfinite(value):
            raise DataError(f"{place}: {measure} is {value}")
        is_share = measure in ("mIoU", "oIoU") or measure.startswith("Pr@")
        if is_share and not 0 <= value <= 1:
            raise DataError(f"{place}: {measure} {value} lies outside 0 to 1")
        yield Measured(
            **about,
            row=str(key),
            dataset=str(row.get("set", "")),
            split=str(row.get("split", "")),
            measure=measure,
            value=float(value) * (100 if is_share else 1),
            seed=seed,
            origin=_describe_origin(content.get("origin")),
            budget=_describe_budget(content.get("settings")),
            file=path,
        )


def _describe_budget(settings: object) -> str:
    """The settings of `risbook study` in words."""
    if not isinstance(settings, Mapping):
        return ""
    training, limit = settings.get("training"), settings.get("limit")
    parts = []
    if isinstance(training, Mapping):
        # Files from before a renaming say batch.
        batch_size = training.get("batch_size", training.get("batch"))
        parts.append(f"{training.get('steps')} steps of {batch_size}")
    if limit:
        parts.append(f"{limit} expressions per split")
    return ", ".join(parts)


def _describe_origin(origin: object) -> str:
    """A record of a `WeightsOrigin`, or a mapping from towers to records, in words."""
    if isinstance(origin, Mapping) and "kind" not in origin:
        return "; ".join(f"{tower}: {_describe_origin(origin[tower])}" for tower in origin)
    if isinstance(origin, Mapping):
        return str(origin.get("source") or f"{origin['kind']} weights")
    return str(origin or "")
