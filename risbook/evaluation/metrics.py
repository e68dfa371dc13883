"""mIoU, oIoU and Pr@X, computed from whole pixel counts.

For expression i with predicted mask P and annotated mask G, I = |P and G| and U = |P or G|:

- IoU of i is I / U. The code of CRIS, ETRIS, DETRIS and MiCA has 1e-6 added to U; so has this one.
- mIoU is the mean of these IoUs: every expression weighs the same.
- oIoU (also "cumulative IoU") is the sum of all I over the sum of all U: large objects weigh more.
- Pr@X is the share of expressions with an IoU above X.

The first two differ by 2 to 3 points on the same predictions, and papers have printed one under
the name of the other, so a `Summary` always holds both. Counts are kept for each expression, as
Python integers: sums never lose a pixel, an expression that a sampler repeated to fill the last
batch counts once, and it does not matter how the split was shared out among processes.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from risbook.errors import DataError

#: The X of Pr@X in all papers.
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)

#: Added to the union by CRIS and its successors.
EPSILON = 1e-6

#: What an expression scores whose masks are both empty: 0 in CRIS's code, 1 in LISA's.
Empty = Literal["zero", "one"]

#: One expression: its id, intersection and union in pixels.
Row = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The figures of a split.

    Args:
        count: number of expressions.
        miou: mean IoU, from 0 to 1.
        oiou: overall IoU, from 0 to 1.
        precision: (X, share of expressions with an IoU above X) for each X.
    """

    count: int
    miou: float
    oiou: float
    precision: tuple[tuple[float, float], ...]

    def precision_at(self, threshold: float) -> float:
        """Look up Pr@threshold.

        Raises:
            DataError: the summary was made without this threshold.
        """
        for known, share in self.precision:
            if known == threshold:
                return share
        raise DataError(f"this summary has no Pr@{threshold}; pass it to summary(thresholds=...)")

    def as_dict(self) -> dict[str, float]:
        """All figures by the names that tables print: count, mIoU, oIoU, Pr@0.5 and so on."""
        shares = {f"Pr@{threshold:g}": share for threshold, share in self.precision}
        return {"count": self.count, "mIoU": self.miou, "oIoU": self.oiou, **shares}


class Scores:
    """Intersection and union of every expression of a split.

    >>> scores = Scores()
    >>> scores.add(1, np.array([[1, 1, 0]]), np.array([[0, 1, 1]]))
    >>> scores.add_counts([2], [80], [100])
    >>> summary = scores.summary()
    >>> round(summary.miou, 4), round(summary.oiou, 4), summary.precision_at(0.5)
    (0.5667, 0.7864, 0.5)
    """

    def __init__(self) -> None:
        self._counts: dict[int, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scores) and self._counts == other._counts

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> Iterator[Row]:
        """Go through (id, intersection, union) in the order of the ids."""
        return ((name, *self._counts[name]) for name in sorted(self._counts))

    def add(self, sent_id: int, prediction: npt.NDArray[Any], truth: npt.NDArray[Any]) -> None:
        """Add an expression by its masks.

        Args:
            sent_id: id of the expression.
            prediction: predicted mask (H, W); everything that is not 0 is the object.
            truth: annotated mask (H, W), at the same resolution.

        Raises:
            DataError: the shapes differ, or the id is known with other counts.
        """
        if prediction.shape != truth.shape:
            raise DataError(
                f"expression {sent_id}: the prediction is {prediction.shape}, the annotated mask "
                f"{truth.shape}; bring the prediction to the picture's own resolution first"
            )
        predicted, true = prediction != 0, truth != 0
        inter = int(np.count_nonzero(predicted & true))
        union = int(np.count_nonzero(predicted | true))
        self._put(int(sent_id), inter, union)

    def add_counts(
        self, sent_ids: Sequence[int], inter: Sequence[int], union: Sequence[int]
    ) -> None:
        """Add expressions by their counts.

        Args:
            sent_ids: ids of the expressions.
            inter: pixels of each intersection.
            union: pixels of each union.

        Raises:
            DataError: the lengths differ, a count is impossible or no whole number, or an id is
                known with other counts.
        """
        if not len(sent_ids) == len(inter) == len(union):
            raise DataError(
                f"{len(sent_ids)} ids, {len(inter)} intersections and {len(union)} unions: "
                "there must be as many of each"
            )
        for row in zip(sent_ids, inter, union, strict=True):
            whole = [int(value) for value in row]
            if whole != list(row):
                raise DataError(f"expression {row[0]}: counts must be whole numbers, got {row}")
            self._put(*whole)

    def merge(self, other: "Scores") -> None:
        """Take over all expressions of other scores; those that both have count once.

        Raises:
            DataError: an expression has other counts there.
        """
        for row in other:
            self._put(*row)

    def gathered(self, gather_object: Callable[[Any], Any]) -> "Scores":
        """Put the scores of all processes together.

        Args:
            gather_object: takes a list and returns the lists of all processes one after the other,
                like ``accelerate.utils.gather_object``.

        Returns:
            New scores, the same in every process.

        Raises:
            DataError: two processes counted the same expression differently.
        """
        together = Scores()
        for row in gather_object(list(self)):
            together._put(*row)
        return together

    def summary(
        self,
        *,
        thresholds: Sequence[float] = THRESHOLDS,
        strict: bool = True,
        empty: Empty = "zero",
    ) -> Summary:
        """Compute the figures.

        Args:
            thresholds: the X of Pr@X.
            strict: count IoU > X as CRIS, ETRIS, DETRIS and MiCA do; False counts IoU >= X as LAVT
                does. See `precision_at` for what that means at the edge.
            empty: score of an expression whose masks are both empty.

        Returns:
            mIoU, oIoU and Pr@X over all expressions. They do not depend on the order of adding.

        Raises:
            DataError: there are no expressions, or `empty` is neither "zero" nor "one".
        """
        if not self._counts:
            raise DataError("no expression was scored; is the split empty?")
        if empty not in ("zero", "one"):
            raise DataError(f'empty must be "zero" or "one", got {empty!r}')
        blank = 1.0 if empty == "one" else 0.0
        # LAVT adds nothing to the union; with ">=" the 1e-6 would lose every IoU that is exactly X.
        extra = EPSILON if strict else 0.0
        rows = list(self)
        # math.fsum rounds once, at the end, so that the order of the expressions cannot matter.
        mean = math.fsum(i / (u + EPSILON) if u else blank for _, i, u in rows) / len(rows)
        sum_inter, sum_union = sum(i for _, i, _ in rows), sum(u for _, _, u in rows)
        ious = [i / (u + extra) if u else blank for _, i, u in rows]
        return Summary(
            count=len(rows),
            miou=mean,
            oiou=sum_inter / sum_union if sum_union else blank,
            precision=precision_at(ious, thresholds=thresholds, strict=strict),
        )

    def _put(self, sent_id: int, inter: int, union: int) -> None:
        if not 0 <= inter <= union:
            raise DataError(
                f"expression {sent_id}: intersection {inter} and union {union} are no pixel counts"
            )
        known = self._counts.setdefault(sent_id, (inter, union))
        if known != (inter, union):
            raise DataError(
                f"expression {sent_id} was scored twice with different results, {known} and "
                f"{(inter, union)}; do not mix the scores of different systems or splits"
            )


def precision_at(
    ious: Iterable[float], *, thresholds: Sequence[float] = THRESHOLDS, strict: bool = True
) -> tuple[tuple[float, float], ...]:
    """Compute the share of IoUs above each threshold.

    The released codes disagree at the edge. CRIS and its successors ask for IoU > X, but hold X in
    float32, where 0.7 and 0.9 lie a little below their names (by about 1e-8 and 2e-8) and 0.6 and
    0.8 a little above. So an IoU of exactly 0.7 counts, one of exactly 0.6 does not. The 1e-6 in
    the union hides that for small unions: 7 of 10 pixels do not count at 0.7, 7000 of 10000 do.
    LAVT asks for IoU >= X in float64.

    Args:
        ious: one IoU an expression, at least one.
        thresholds: the X of Pr@X.
        strict: IoU > float32(X); False: IoU >= X.

    Returns:
        (X, share) for each X.

    >>> precision_at([0.5, 0.6, 0.7, 0.8], thresholds=[0.5, 0.7])
    ((0.5, 0.75), (0.7, 0.5))
    """
    values = np.fromiter(ious, np.float64)
    shares = []
    for threshold in thresholds:
        above = values > np.float64(np.float32(threshold)) if strict else values >= threshold
        shares.append((float(threshold), int(np.count_nonzero(above)) / len(values)))
    return tuple(shares)
