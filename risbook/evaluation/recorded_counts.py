"""Pixels of every expression, from a finished evaluation and from its result file."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from risbook.data.expressions import Expression
from risbook.errors import DataError
from risbook.evaluation.packed_scores import unpack_counts
from risbook.evaluation.result_files import read_result
from risbook.metrics import EPSILON, Scores

Counts = npt.NDArray[np.int64]


def counts_in_order(scores: Scores, expressions: Iterable[Expression]) -> Counts:
    """Pixels in intersection and union of expressions that were scored, int64 (N, 2).

    Args:
        scores: of at least these expressions.
        expressions: N expressions, which give the order.
    """
    by_id = {sent_id: (inter, union) for sent_id, inter, union in scores}
    rows = [by_id[expression.sent_id] for expression in expressions]
    return np.array(rows, np.int64).reshape(-1, 2)


def ious_of_counts(counts: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """IoU of each expression from its pixels (N, 2), as `risbook.metrics.Scores` computes it."""
    inter, union = np.asarray(counts, np.float64).reshape(-1, 2).T
    ious: npt.NDArray[np.float64] = inter / (union + EPSILON)
    return ious


def read_counts(path: Path, *, dataset: str, split: str) -> Counts:
    """Pixels of every expression of a split, from a file of `risbook evaluate --per-expression`.

    Args:
        path: the result file.
        dataset: the set's name, as in the file.
        split: the split.

    Returns:
        int64 (N, 2), in the order of the split's expressions.

    Raises:
        DataError: the file lacks them, or they do not give the mIoU that stands beside them.
    """
    for row in read_result(path)["rows"]:
        if (row.get("set"), row.get("split")) == (dataset, split) and "counts" in row:
            counts = unpack_counts(row["counts"])
            if len(counts) != row["count"] or not np.isclose(
                ious_of_counts(counts).mean(), row["mIoU"], rtol=0, atol=1e-9
            ):
                raise DataError(f"{path}: the pixels of {dataset} {split} do not give its mIoU")
            return counts
    raise DataError(
        f"{path}: no pixels of the single expressions of {dataset} {split}; write the file by "
        "risbook evaluate --per-expression"
    )
