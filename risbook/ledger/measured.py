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
a folder with a file a run, which is how one that can be resumed keeps what it has.
"""

import datetime
import json
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from risbook.errors import DataError

_PACKAGE = Path(__file__).resolve().parents[1]

#: Checkpoints that come with the package, each with its scores.
SHIPPED = _PACKAGE / "checkpoints"

#: Keys of a row that are no measures.
_NO_MEASURES = ("count", "seed")

_NEEDED = ("command", "date", "device", "rows")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A number of ours.

    Args:
        suite: the runs that it belongs to; a shipped checkpoint is its own suite.
        row: key of the run inside the suite.
        dataset: name of the set, as "refscenes"; empty where the number belongs to none.
        split: of that set.
        measure: "mIoU", "oIoU", "Pr@0.5" (percent), "tuned" (parameters), or whatever the file
            calls it.
        value: the number.
        seed: of the run; None where the file does not say.
        command: that gives the number again.
        date: of the run, as 2026-01-31.
        device: in words.
        precision: "float32", "bfloat16" and so on; empty where the file does not say.
        origin: where the towers' weights come from; empty where the file does not say.
        budget: of the training, and the share of the split that was looked at; may be empty.
        file: the result file.
    """

    suite: str
    row: str
    dataset: str
    split: str
    measure: str
    value: float
    seed: int | None
    command: str
    date: str
    device: str
    precision: str
    origin: str
    budget: str
    file: Path

    @property
    def identity(self) -> tuple[object, ...]:
        """What no two numbers may share."""
        return self.suite, self.row, self.dataset, self.split, self.measure, self.seed


def results_folder() -> Path:
    """``book/results`` of the repository that the package lies in, or else of this folder."""
    book = _PACKAGE.parent / "book"
    return book / "results" if book.is_dir() else Path("book", "results")


def read_measured(folder: Path | None = None, *, shipped: Path = SHIPPED) -> tuple[Measured, ...]:
    """Read all result files.

    Files with a name that begins with a dot or does not end with .json are somebody's work in
    progress and do not count. Neither does a file that stops in the middle: it is left out with a
    warning.

    Args:
        folder: of result files; `results_folder()` by default. It need not exist.
        shipped: folder of checkpoints with a ``scores.json`` each.

    Raises:
        DataError: names the file and what is wrong in it.
    """
    folder = folder or results_folder()
    found: dict[tuple[object, ...], Measured] = {}
    places = [(path.parent.name, path) for path in sorted(shipped.glob("*/scores.json"))]
    for path in sorted(folder.rglob("*.json")):
        inside = path.relative_to(folder)
        if not any(part.startswith(".") for part in inside.parts):
            places.append((inside.parts[0].removesuffix(".json"), path))
    for suite, path in places:
        for one in _read_file(path, suite):
            if one.identity in found:
                other = found[one.identity].file
                raise DataError(f"{path}: {one.row} {one.measure} stands in {other}, too")
            found[one.identity] = one
    return tuple(found.values())


def measured(rows: Sequence[Measured], **wanted: object) -> tuple[Measured, ...]:
    """Choose numbers by what their fields are.

    Raises:
        DataError: there is no such field.
    """
    known = [one.name for one in fields(Measured)]
    for name in wanted:
        if name not in known:
            raise DataError(f"a measured number has no {name!r}; it has {', '.join(known)}")
    return tuple(
        row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())
    )


def _read_file(path: Path, suite: str) -> Iterator[Measured]:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        warnings.warn(f"{path}: not a whole JSON document; left out", stacklevel=2)
        return
    if not isinstance(about, dict) or not set(_NEEDED) <= set(about):
        raise DataError(f"{path}: not a result file ({', '.join(_NEEDED)} are needed)")
    if not isinstance(about["rows"], list):
        raise DataError(f"{path}: rows has to be a list")
    try:
        datetime.date.fromisoformat(about["date"])
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: date {about['date']!r} is not like 2026-01-31") from error
    whole = {key: value for key, value in about.items() if _is_number(value)}
    if whole.keys() - set(_NO_MEASURES):
        yield from _read_row(about, whole, f"{path}", path, suite)
    for number, row in enumerate(about["rows"], start=1):
        if not isinstance(row, dict):
            raise DataError(f"{path}: row {number} is not a JSON object")
        yield from _read_row({**about, **row}, row, f"{path}: row {number}", path, suite)


def _read_row(
    about: Mapping[str, Any], numbers: Mapping[str, Any], place: str, path: Path, suite: str
) -> Iterator[Measured]:
    key = str(about.get("row") or about.get("system") or "")
    if not key:
        raise DataError(f"{place} has no key: neither row nor system is given")
    seed = about.get("seed")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise DataError(f"{place}: seed {seed!r} is not a whole number")
    for measure, value in numbers.items():
        if measure in _NO_MEASURES or not _is_number(value):
            continue
        if not math.isfinite(value):
            raise DataError(f"{place}: {measure} is {value}")
        if is_share(measure) and not 0 <= value <= 1:
            raise DataError(f"{place}: {measure} {value} lies outside 0 to 1")
        yield Measured(
            suite=str(about.get("suite") or suite),
            row=key,
            dataset=str(numbers.get("set", "")),
            split=str(numbers.get("split", "")),
            measure=measure,
            value=float(value) * (100 if is_share(measure) else 1),
            seed=seed,
            command=str(about["command"]),
            date=str(about["date"]),
            device=str(about["device"]),
            precision=str(about.get("precision") or ""),
            origin=_origin(about.get("origin")),
            budget=_budget(about.get("settings")),
            file=path,
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_share(measure: str) -> bool:
    """Say whether a measure is a share: from 0 to 1 in files, percent in tables."""
    return measure in ("mIoU", "oIoU") or measure.startswith("Pr@")


def _budget(settings: object) -> str:
    """Words for the settings of `risbook study`."""
    if not isinstance(settings, Mapping):
        return ""
    training, parts = settings.get("training"), []
    if isinstance(training, Mapping):
        parts.append(f"{training.get('steps')} steps of {training.get('batch')}")
    if settings.get("limit"):
        parts.append(f"{settings['limit']} expressions a split")
    return ", ".join(parts)


def _origin(record: object) -> str:
    """Words for an `WeightsSource.record()`, or for several of them by tower."""
    if not record:
        return ""
    if isinstance(record, str):
        return record
    if isinstance(record, Mapping):
        if "kind" in record:
            source = record.get("source")
            return f"{record['kind']} weights" + (f": {source}" if source else "")
        return _joined(f"{name}: {_origin(one)}" for name, one in record.items())
    if isinstance(record, Sequence):
        return _joined(_origin(one) for one in record)
    return str(record)


def _joined(parts: Iterable[str]) -> str:
    return "; ".join(part for part in parts if part)
