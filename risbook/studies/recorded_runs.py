"""Recorded trainings: what the result files of a suite say of each run, all its seeds together.

A suite is a folder of ``book/results``: a study, or the runs of a chapter's own program. Files
without a seed, or without an mIoU on a split, are no trainings with a score and are left out.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from risbook.errors import DataError
from risbook.evaluation.packed_scores import unpack_image_ids, unpack_scores
from risbook.evaluation.paired_difference import mean_with_interval, paired_difference
from risbook.evaluation.result_files import read_result
from risbook.studies.definitions import STUDIES
from risbook.studies.seed_intervals import Interval, difference_over_seeds, mean_over_seeds

#: content of a result file, and its row of one split
_Member = tuple[dict[str, Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class SplitScore:
    """The scores of a run on one split.

    Args:
        miou: of each seed, in percent.
        ious: IoU of each expression, (R, N) in percent; None where the files do not keep them.
        image_ids: the image of each expression, N ids; empty without `ious`.
    """

    miou: tuple[float, ...]
    ious: npt.NDArray[np.float64] | None = None
    image_ids: tuple[int, ...] = ()

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return sum(self.miou) / len(self.miou)

    def interval(self) -> Interval | None:
        """The mean with its 95 % interval; None for one seed, which says nothing of others."""
        if len(self.miou) < 2:
            return None
        if self.ious is None:
            return mean_over_seeds(self.miou)
        drawn_again = mean_with_interval(self.ious, self.image_ids)
        return Interval(self.mean, drawn_again.low, drawn_again.high)

    def minus(self, other: "SplitScore", *, confidence: float = 0.95) -> Interval:
        """The difference from another run on the same split; both have two seeds or more.

        Where both keep the IoU of every expression, it is paired by expression and drawn over
        images and seeds. Otherwise the seeds alone decide, and count as independent.
        """
        if self.ious is None or other.ious is None or self.image_ids != other.image_ids:
            return difference_over_seeds(self.miou, other.miou, confidence=confidence)
        paired = paired_difference(self.ious, other.ious, self.image_ids, confidence=confidence)
        return Interval(self.mean - other.mean, paired.low, paired.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRun:
    """A run of a suite; what the files do not say is None, or an empty tuple."""

    suite: str
    key: str
    seeds: tuple[int, ...]
    num_images: int | None  # training images; 0 for all of the set
    steps: int | None
    batch_size: int | None
    learning_rate: float | None
    tuned: int | None  # parameters that train
    backbone_tuned: int | None  # those in the two towers and between them
    seconds: float | None  # mean time of a training
    devices: tuple[str, ...]
    dates: tuple[str, ...]
    scores: Mapping[str, SplitScore]  # by "set:split"

    @property
    def method(self) -> str:
        """The key without a learning rate or a number of images at its end."""
        method, suffix = _divide_key(self.key)
        return method if suffix else self.key

    @property
    def has_rate(self) -> bool:
        """Whether the key ends with a learning rate, as "lora-4e-3"."""
        return "e-" in _divide_key(self.key)[1]


def read_runs(folder: Path) -> dict[str, list[RecordedRun]]:
    """Read the trainings of all suites of a folder of results.

    Returns:
        Runs by suite; both in the order of the studies, other suites and runs by name.

    Raises:
        DataError: a file is no result file, or the seeds of a run have different settings.
    """
    members: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for path in sorted(folder.glob("*/*.json")):
        about = read_result(path)
        if type(about.get("seed")) is int and "row" in about and any(map(_is_score, about["rows"])):
            members[path.parent.name, str(about["row"])].append(about)
    keys = {name: [run.key for run in study.runs] for name, study in STUDIES.items()}

    def order(place: tuple[str, str]) -> tuple[int, str, int, str]:
        suite, key = place
        rank = list(keys).index(suite) if suite in keys else len(keys)
        listed = keys.get(suite, [])
        return rank, suite, listed.index(key) if key in listed else len(listed), key

    runs: dict[str, list[RecordedRun]] = {}
    for suite, key in sorted(members, key=order):
        files = sorted(members[suite, key], key=lambda about: int(about["seed"]))
        runs.setdefault(suite, []).append(_run(suite, key, files))
    return runs


def _run(suite: str, key: str, files: list[dict[str, Any]]) -> RecordedRun:
    where = f"{suite}, run {key}"
    trainings = [about.get("settings", {}).get("training", {}) for about in files]
    rows: dict[str, list[_Member]] = defaultdict(list)
    for about in files:
        for row in filter(_is_score, about["rows"]):
            rows[f"{row['set']}:{row['split']}"].append((about, row))

    def shared(values: list[Any], name: str) -> Any:
        if len(set(values)) > 1:
            raise DataError(f"{where}: its seeds differ in {name}: {', '.join(map(str, values))}")
        return values[0]

    def of_training(name: str, *old_names: str) -> Any:
        names = (name, *old_names)
        pairs = [({**about, **training}) for about, training in zip(files, trainings, strict=True)]
        values = [next((pair[n] for n in names if n in pair), None) for pair in pairs]
        return shared(values, name)

    seconds = [about["seconds"] for about in files if "seconds" in about]
    num_images = of_training("num_images")
    return RecordedRun(
        suite=suite,
        key=key,
        seeds=tuple(about["seed"] for about in files),
        # Files from before the studies of few labels trained on whole sets.
        num_images=0 if num_images is None and trainings[0] else num_images,
        steps=of_training("steps"),
        batch_size=of_training("batch_size", "batch"),
        learning_rate=of_training("learning_rate", "peak"),
        tuned=shared([about.get("tuned") for about in files], "tuned parameters"),
        backbone_tuned=shared([about.get("adapters") for about in files], "tuned parameters"),
        seconds=float(np.mean(seconds)) if seconds else None,
        devices=tuple(dict.fromkeys(about["device"] for about in files)),
        dates=tuple(sorted({about["date"] for about in files})),
        scores={split: _score(where, pairs) for split, pairs in rows.items()},
    )


def _score(where: str, members: list[_Member]) -> SplitScore:
    miou = tuple(100 * row["mIoU"] for _, row in members)
    if not all("ious" in row and "images" in row for _, row in members):
        return SplitScore(miou)
    if len({row["images"] for _, row in members}) > 1:
        raise DataError(f"{where}: its seeds were scored on different expressions")
    ious = 100 * np.stack([unpack_scores(row["ious"]) for _, row in members])
    return SplitScore(miou, ious, tuple(unpack_image_ids(members[0][1]["images"])))


def _is_score(row: Any) -> bool:
    return isinstance(row, dict) and {"set", "split", "mIoU"} <= set(row)


def _divide_key(key: str) -> tuple[str, str]:
    """A key and the learning rate or the number of images at its end, if it has one.

    >>> _divide_key("lora-4e-3"), _divide_key("etris-500"), _divide_key("no-neck")
    (('lora', '4e-3'), ('etris', '500'), ('no-neck', ''))
    """
    words = key.split("-")
    if len(words) > 1 and words[-1].isdigit() and words[-2].endswith("e"):
        return "-".join(words[:-2]), "-".join(words[-2:])
    if len(words) > 1 and words[-1].isdigit():
        return "-".join(words[:-1]), words[-1]
    return key, ""
