"""mIoU, oIoU and Pr@X, computed from whole pixel counts::

    miou(pred, target)                      one mask, a batch, or a list of masks
    precision_at(pred, target, 0.5)
    scores.add(sent_id, pred, target)       a whole split, see `Scores`

For expression i with predicted mask P and annotated mask G, I is the number of pixels in both
masks, and U the number of pixels in either:

- IoU of i is I / U. The code of CRIS (Wang et al., 2022), ETRIS (Xu et al., 2023), DETRIS (Huang et
  al., 2025) and MiCA (Li et al., 2026) has 1e-6 added to U; so has this one.
- mIoU is the mean of these IoUs: every expression weighs the same.
- oIoU (also "cumulative IoU") is the sum of all I over the sum of all U: large objects weigh more.
- Pr@X is the share of expressions with an IoU above X.

mIoU and oIoU differ by 2 to 3 points on the same predictions, and papers have printed one under
the name of the other, so a `Summary` always holds both. Counts are kept per expression, as Python
integers: sums never lose a pixel, an expression that a sampler repeated to fill the last batch
counts once, and it does not matter how the split was shared out among processes.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from risbook.attribute_hints import lazy_attributes
from risbook.errors import DataError

#: The X of Pr@X in all papers.
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)

#: Added to the union by CRIS and its successors.
EPSILON = 1e-6

#: What an expression scores whose masks are both empty: 0 in CRIS's code, 1 in LISA's.
Empty = Literal["zero", "one"]

#: One expression: its id, intersection and union in pixels.
Row = tuple[int, int, int]

BoolMask = npt.NDArray[np.bool_]

#: Thresholds that messages give as examples: the released repositories' and the middle of a soft
#: edge.
_EXAMPLES = {"pred": 0.35, "target": 0.5}


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
        """Look up Pr@threshold; a DataError says that the summary was made without it."""
        for x, share in self.precision:
            if x == threshold:
                return share
        raise DataError(f"this summary has no Pr@{threshold}; pass it to summary(thresholds=...)")

    def as_dict(self) -> dict[str, float]:
        """All figures, by the names that tables print."""
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
        """Yield (id, intersection, union) in the order of the ids."""
        return ((sent_id, *self._counts[sent_id]) for sent_id in sorted(self._counts))

    def ious(self) -> dict[int, float]:
        """IoU of each expression, by its id."""
        return {sent_id: inter / (union + EPSILON) for sent_id, inter, union in self}

    def add(self, sent_id: int, prediction: npt.NDArray[Any], truth: npt.NDArray[Any]) -> None:
        """Add an expression by its masks.

        Args:
            sent_id: id of the expression.
            prediction: predicted mask (H, W); everything that is not 0 is the object.
            truth: annotated mask (H, W), at the same resolution.

        Raises:
            DataError: the shapes differ, or the id was scored with other counts.
        """
        if prediction.shape != truth.shape:
            raise DataError(
                f"expression {sent_id}: the prediction is {prediction.shape}, the annotated mask "
                f"{truth.shape}; bring the prediction to the image's own resolution first"
            )
        predicted, true = prediction != 0, truth != 0
        inter = int(np.count_nonzero(predicted & true))
        union = int(np.count_nonzero(predicted | true))
        self._put(int(sent_id), inter, union)

    def add_counts(
        self, sent_ids: Sequence[int], inter: Sequence[int], union: Sequence[int]
    ) -> None:
        """Add expressions by their counts, in pixels.

        Raises:
            DataError: the lengths differ, a count is impossible or no whole number, or an id was
                scored with other counts.
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
        """Add all expressions of other scores; an expression in both counts once."""
        for row in other:
            self._put(*row)

    def gathered(self, gather_object: Callable[[Any], Any]) -> "Scores":
        """Merge the scores of all processes into new ones, the same in every process.

        Args:
            gather_object: takes a list and returns the lists of all processes one after the other,
                like ``accelerate.utils.gather_object``.
        """
        merged = Scores()
        for row in gather_object(list(self)):
            merged._put(*row)
        return merged

    def summary(
        self,
        *,
        thresholds: Sequence[float] = THRESHOLDS,
        strict: bool = True,
        empty: Empty = "zero",
    ) -> Summary:
        """Compute mIoU, oIoU and Pr@X over all expressions.

        Args:
            thresholds: the X of Pr@X.
            strict: count IoU > X as CRIS, ETRIS, DETRIS and MiCA do; False counts IoU >= X as LAVT
                does. See `shares_above` for what that means at the edge.
            empty: score of an expression whose masks are both empty.

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
            precision=shares_above(ious, thresholds=thresholds, strict=strict),
        )

    def _put(self, sent_id: int, inter: int, union: int) -> None:
        if not 0 <= inter <= union:
            raise DataError(
                f"expression {sent_id}: intersection {inter} and union {union} are no pixel counts"
            )
        earlier = self._counts.setdefault(sent_id, (inter, union))
        if earlier != (inter, union):
            raise DataError(
                f"expression {sent_id} was scored twice with different results, {earlier} and "
                f"{(inter, union)}; do not mix the scores of different systems or splits"
            )


def shares_above(
    ious: Iterable[float], *, thresholds: Sequence[float] = THRESHOLDS, strict: bool = True
) -> tuple[tuple[float, float], ...]:
    """Compute the share of IoUs above each threshold: (X, share) per X.

    The released repositories disagree at the edge. CRIS and its successors ask for IoU > X, but
    hold X in float32, where 0.7 and 0.9 lie a little below their names (by about 1e-8 and 2e-8) and
    0.6 and 0.8 a little above. So an IoU of exactly 0.7 counts, one of exactly 0.6 does not. The
    1e-6 in the union hides that for small unions: 7 of 10 pixels do not count at 0.7, 7000 of 10000
    do. LAVT (Yang et al., 2022) asks for IoU >= X in float64 (``strict=False``).

    >>> shares_above([0.5, 0.6, 0.7, 0.8], thresholds=[0.5, 0.7])
    ((0.5, 0.75), (0.7, 0.5))
    """
    values = np.fromiter(ious, np.float64)
    shares = []
    for threshold in thresholds:
        above = values > np.float64(np.float32(threshold)) if strict else values >= threshold
        shares.append((float(threshold), int(np.count_nonzero(above)) / len(values)))
    return tuple(shares)


def iou(pred: Any, target: Any) -> float:
    """IoU of one predicted and one annotated mask; `miou` takes batches and lists."""
    scores = _score(pred, target)
    if len(scores) > 1:
        raise DataError(f"iou compares one pair of masks, got {len(scores)}; use miou for a batch")
    return scores.summary().miou


def miou(pred: Any, target: Any) -> float:
    """Mean IoU of predicted and annotated masks, as `Scores` computes it.

    Args:
        pred: one mask (H, W), a batch (B, H, W) or (B, 1, H, W), or a list of masks or batches
            whose sizes may differ; arrays, or tensors on any device; bool, 0 and 1, or 0 and 255.
        target: as many annotated masks, each of the size of its prediction.

    Raises:
        DataError: numbers or shapes of the masks differ, or values are no mask's (probabilities).

    >>> round(miou([[1, 1, 0]], [[0, 1, 1]]), 4)
    0.3333
    """
    return _score(pred, target).summary().miou


def oiou(pred: Any, target: Any) -> float:
    """Overall IoU, the sum of intersections over the sum of unions; arguments as of `miou`."""
    return _score(pred, target).summary().oiou


#: as the papers write them
mIoU, oIoU = miou, oiou  # noqa: N816


@overload
def precision_at(pred: Any, target: Any, thresholds: float) -> float: ...


@overload
def precision_at(
    pred: Any, target: Any, thresholds: Sequence[float] = THRESHOLDS
) -> dict[float, float]: ...


def precision_at(
    pred: Any, target: Any, thresholds: float | Sequence[float] = THRESHOLDS
) -> float | dict[float, float]:
    """Share of the masks with an IoU above a threshold; masks as of `miou`.

    Args:
        pred: predicted masks.
        target: annotated masks.
        thresholds: one X, or several.

    Returns:
        The share for one X; for several {X: share}.

    >>> precision_at(np.ones((3, 2, 2)), np.ones((3, 2, 2)), [0.5, 0.9])
    {0.5: 1.0, 0.9: 1.0}
    """
    scores = _score(pred, target)
    if isinstance(thresholds, int | float):
        return scores.summary(thresholds=[thresholds]).precision[0][1]
    return dict(scores.summary(thresholds=thresholds).precision)


def _score(pred: Any, target: Any) -> Scores:
    try:
        preds, targets = as_masks("pred", pred), as_masks("target", target)
    except ValueError as error:  # numpy's, about rows of different lengths
        raise DataError(f"masks must be (H, W) or (B, H, W): {error}") from error
    if len(preds) != len(targets) or not preds:
        raise DataError(
            f"pred holds {len(preds)} masks, target {len(targets)}; give one prediction per target"
        )
    scores = Scores()
    for index, (mask, truth) in enumerate(zip(preds, targets, strict=True)):
        if mask.shape != truth.shape:
            raise DataError(
                f"mask {index}: pred is {mask.shape}, target {truth.shape}; bring pred to the "
                "target's resolution first"
            )
        scores.add(index, mask, truth)
    return scores


def as_masks(name: str, masks: Any) -> list[BoolMask]:
    """Bring one mask or several to a list of bool (H, W).

    Args:
        name: what they are, for the error.
        masks: array or tensor (H, W), (B, H, W) or (B, 1, H, W), or a list of them; bool, or
            numbers of which all are 0 and 1, or 0 and 255.

    Raises:
        DataError: for anything else.
    """
    if isinstance(masks, list | tuple) and not (masks and all(np.ndim(row) < 2 for row in masks)):
        return [mask for item in masks for mask in as_masks(name, item)]
    if hasattr(masks, "detach"):  # a torch tensor; numpy has no bfloat16
        masks = masks.detach().cpu()
        masks = (masks.double() if masks.is_floating_point() else masks).numpy()
    values = np.asarray(masks)
    if values.ndim == 4 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim not in (2, 3) or values.dtype.kind not in "biuf":
        raise DataError(
            f"{name} is {values.dtype} {values.shape}, not a mask (H, W) or masks (B, H, W)"
        )
    if values.dtype.kind != "b" and not ((values == 0) | (values == 1)).all():
        if values.dtype.kind == "f":
            raise DataError(
                f"{name} holds numbers other than 0 and 1 (probabilities, logits, a resized mask); "
                f"threshold it first, for instance {name} > {_EXAMPLES.get(name, 0.5)}"
            )
        if not ((values == 0) | (values == 255)).all():
            raise DataError(
                f"{name} holds other numbers than 0 and 1, or 0 and 255; compare it first, for "
                f"instance {name} == {values.max()}"
            )
    flags: BoolMask = values != 0
    return [flags] if flags.ndim == 2 else list(flags)


__getattr__ = lazy_attributes(
    "risbook.metrics",
    {},
    {
        "accuracy": "risbook.metrics.precision_at(pred, target, 0.5)",
        "ciou": "risbook.metrics.oiou(pred, target)",
        "compute": "risbook.metrics.miou(pred, target) or oiou(pred, target)",
        "giou": "risbook.metrics.miou(pred, target)",
        "pr_at": "risbook.metrics.precision_at(pred, target, 0.5)",
        "precision": "risbook.metrics.precision_at(pred, target, 0.5)",
        "prec_at": "risbook.metrics.precision_at(pred, target, 0.5)",
    },
)
