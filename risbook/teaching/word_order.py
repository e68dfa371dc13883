"""Two sentences of the same words about two objects: a test of whether a model uses their order."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from risbook.data import ReferData
from risbook.teaching.outcomes import iou_with_masks

if TYPE_CHECKING:
    from risbook.systems import System


@dataclass(frozen=True, slots=True)
class SameWordPair:
    """Two sentences of the same words that describe different objects of one image.

    Args:
        image_id: the image.
        sentences: "A left of B" and "B left of A", with two categories A and B.
        targets: the described object of each sentence, as its place in `data.objects(image_id)`.
    """

    image_id: int
    sentences: tuple[str, str]
    targets: tuple[int, int]


def same_word_pairs(data: ReferData, split: str, *, margin: float = 0.1) -> list[SameWordPair]:
    """Find the images of a split that have two such sentences, in the order of their ids.

    An image qualifies with exactly two objects of a category A, and between them exactly one
    object of a category B. Then "A left of B" describes the left A, and "B left of A" the B.

    Args:
        data: the set.
        split: one of `data.splits`.
        margin: least horizontal distance of the objects' centres, as a share of the image's width.
    """
    pairs: list[SameWordPair] = []
    for image_id in sorted({row.image_id for row in data.expressions.split(split)}):
        places: dict[str, list[int]] = defaultdict(list)  # category -> places of its objects
        centres: list[float] = []  # horizontal, as a share of the width
        for place, (category, mask) in enumerate(data.objects(image_id)):
            places[category].append(place)
            centres.append(float(np.nonzero(mask)[1].mean()) / mask.shape[1])
        twice = [category for category in sorted(places) if len(places[category]) == 2]
        once = [category for category in sorted(places) if len(places[category]) == 1]
        for outer in twice:
            left, right = sorted(places[outer], key=centres.__getitem__)
            for inner in once:
                middle = places[inner][0]
                if centres[left] + margin < centres[middle] < centres[right] - margin:
                    sentences = (f"{outer} left of {inner}", f"{inner} left of {outer}")
                    pairs.append(SameWordPair(image_id, sentences, (left, middle)))
    return pairs


def count_selected_pairs(model: "System", data: ReferData, pairs: Iterable[SameWordPair]) -> int:
    """Count the pairs of which a model selects both objects.

    A model that ignores the order of the words selects the same object twice, and so counts none.

    Args:
        model: has ``predict(image, sentence)``, which returns a mask (H, W).
        data: the set that the pairs come from.
        pairs: what `same_word_pairs` returns.
    """
    count = 0
    for pair in pairs:
        image, objects = data.image(pair.image_id), data.objects(pair.image_id)
        masks = [model.predict(image, sentence) for sentence in pair.sentences]
        count += tuple(select_object(mask, objects) for mask in masks) == pair.targets
    return count


def select_object(
    mask: NDArray[np.bool_], objects: Sequence[tuple[str, NDArray[np.bool_]]]
) -> int | None:
    """The object that has the largest IoU with a predicted mask.

    Args:
        mask: the prediction, (H, W).
        objects: category and mask (H, W) of each object, as `data.objects` lists them.

    Returns:
        Its place among the objects, the first of equal ones; None if the mask touches none.

    >>> left = np.array([[1, 1, 0, 0]], dtype=bool)
    >>> right = np.array([[0, 0, 1, 1]], dtype=bool)
    >>> select_object(np.array([[0, 1, 1, 1]], dtype=bool), [("cup", left), ("cup", right)])
    1
    """
    if not objects:
        return None
    ious = iou_with_masks(mask, [object_mask for _, object_mask in objects])
    best = int(ious.argmax())
    return best if ious[best] > 0 else None
