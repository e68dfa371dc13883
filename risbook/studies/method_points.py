"""Score over the number of tuned weights, from the results of the study "adapter-methods".

A run's key is its method and its learning rate, for instance "lora-4e-3". The rate of a method is
chosen on val, by the runs of seed 0; its points on other splits hold the runs of this rate alone.
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from risbook.errors import DataError
from risbook.evaluation.packed_scores import unpack_image_ids, unpack_scores
from risbook.evaluation.paired_difference import PairedDifference, paired_difference
from risbook.evaluation.result_files import read_result


@dataclass(frozen=True, slots=True)
class MethodPoint:
    """A method at its best rate, scored on one split.

    Args:
        method: how the towers were tuned.
        rate: the learning rate of highest mIoU on val, as in the key.
        rate_is_inside: whether lower and higher rates were tried and score less on val.
        tuned: tuned weights of both towers; those of the mask head do not count.
        seeds: of the runs, R.
        ious: IoU of each expression, (R, N).
        image_ids: the image of each expression, N ids.
    """

    method: str
    rate: str
    rate_is_inside: bool
    tuned: int
    seeds: tuple[int, ...]
    ious: npt.NDArray[np.float64]
    image_ids: list[int]

    def minus(self, other: "MethodPoint") -> PairedDifference:
        """The difference from another point of the same split, paired by expression."""
        return paired_difference(self.ious, other.ious, self.image_ids)


def read_method_points(folder: Path, split: str) -> list[MethodPoint]:
    """Read the result files of the study, by ascending number of tuned weights.

    Args:
        folder: of the study's results; it need not exist.
        split: the split of the scores, for instance "test_seen".

    Returns:
        A point per method; nothing where there are no results yet.

    Raises:
        DataError: a key does not end with a learning rate, or a run was not scored on val and on
            the split.
    """
    runs: dict[str, dict[tuple[str, int], dict[str, Any]]] = defaultdict(dict)
    for path in sorted(folder.glob("*.json")):
        about = read_result(path)
        words = about["row"].split("-")
        rate = "-".join(words[-2:])  # a rate such as 4e-3 contains a hyphen
        if len(words) < 3 or not _is_rate(rate):
            raise DataError(f"{path}: the run is called {about['row']!r}, not METHOD-RATE")
        runs["-".join(words[:-2])][rate, about["seed"]] = about
    return sorted((_point(m, r, split, folder) for m, r in runs.items()), key=lambda p: p.tuned)


def _point(
    method: str, runs: dict[tuple[str, int], dict[str, Any]], split: str, folder: Path
) -> MethodPoint:
    val = {rate: _row(a, "val", folder)["mIoU"] for (rate, seed), a in runs.items() if seed == 0}
    if not val:
        raise DataError(f"{folder}: {method} has no run with seed 0")
    rates = sorted(val, key=float)
    best = max(rates, key=lambda rate: val[rate])
    members = [(s, runs[best, s]) for s in sorted(s for rate, s in runs if rate == best)]
    rows = [_row(about, split, folder) for _, about in members]
    return MethodPoint(
        method=method,
        rate=best,
        rate_is_inside=best not in (rates[0], rates[-1]),
        tuned=members[0][1]["adapters"],
        seeds=tuple(seed for seed, _ in members),
        ious=np.stack([unpack_scores(row["ious"]) for row in rows]),
        image_ids=unpack_image_ids(rows[0]["images"]),
    )


def _row(about: dict[str, Any], split: str, folder: Path) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [row for row in about["rows"] if row["split"] == split]
    if len(rows) != 1:
        raise DataError(f"{folder}: {about['row']} was not scored on {split}")
    return rows[0]


def _is_rate(text: str) -> bool:
    try:
        return 0 < float(text) < 1
    except ValueError:
        return False
