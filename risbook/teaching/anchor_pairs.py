"""Two sentences that differ in their last noun only: a test of whether a model uses relations."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from risbook.data import ReferData
from risbook.teaching.examples import Example, SceneObject, load_objects


@dataclass(frozen=True, slots=True)
class _Box:
    """Edges of an object, as shares of the image's width and height."""

    left: float
    right: float
    bottom: float

    def is_beside(self, other: "_Box", limit: float) -> bool:
        """Whether the gap between the boxes, and between their lower edges, is at most `limit`."""
        gap = max(self.left - other.right, other.left - self.right, 0.0)
        return gap <= limit and abs(self.bottom - other.bottom) <= limit


def anchor_pairs(
    data: ReferData, split: str, *, clear: float = 0.08, wide: float = 0.15
) -> list[tuple[Example, Example]]:
    """Find the images of a split with such a pair: "A next to B" and "A next to C".

    An image qualifies with several objects of a category A and one object each of the categories
    B and C. Of the A, exactly one is near B and another one is near C. The second object of a
    relation is called its anchor.

    Args:
        data: the set.
        split: one of `data.splits`.
        clear: largest gap of two boxes that are next to each other, as a share of the image.
        wide: least gap of the boxes of all other objects A.

    Returns:
        Pairs of examples, in the order of the image ids. Their `sent_id` is -1, because no data
        set contains the sentences.
    """
    pairs = []
    for image_id in sorted({row.image_id for row in data.expressions.split(split)}):
        objects = load_objects(data, image_id)
        categories = [obj.category for obj in objects]
        singles = [obj for obj in objects if categories.count(obj.category) == 1]
        for head in sorted({name for name in categories if categories.count(name) > 1}):
            candidates = [obj for obj in objects if obj.category == head]
            described = list(_nearest(candidates, singles, clear, wide))
            for (first, near_first), (second, near_second) in combinations(described, 2):
                if near_first is near_second:
                    continue
                pair = [
                    Example(f"{head} next to {anchor.category}", image_id, -1, objects, target)
                    for anchor, target in ((first, near_first), (second, near_second))
                ]
                pairs.append((pair[0], pair[1]))
    return pairs


def _nearest(
    candidates: Sequence[SceneObject],
    anchors: Sequence[SceneObject],
    clear: float,
    wide: float,
) -> Iterator[tuple[SceneObject, SceneObject]]:
    """Each anchor, in the order of the categories, with the only candidate next to it."""
    for anchor in sorted(anchors, key=lambda obj: obj.category):
        box = _box(anchor)
        beside = [obj for obj in candidates if _box(obj).is_beside(box, wide)]
        if len(beside) == 1 and _box(beside[0]).is_beside(box, clear):
            yield anchor, beside[0]


def _box(obj: SceneObject) -> _Box:
    height, width = obj.mask.shape
    rows, columns = np.nonzero(obj.mask)
    return _Box(
        left=float(columns.min()) / width,
        right=float(columns.max() + 1) / width,
        bottom=float(rows.max() + 1) / height,
    )
