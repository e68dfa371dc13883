"""Predictions compared with all objects of their image: which object did the model select?

A low IoU has two causes, a wrong object or a poor outline. The annotations list every object of
an image, so the two can be told apart for a model that returns only masks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from risbook.data import ReferData
from risbook.errors import DataError
from risbook.teaching.examples import Example, SceneObject

BoolMask = NDArray[np.bool_]

#: N images (H, W, 3) and N sentences -> N predicted masks (H, W), as `System.predict` does it.
Predict = Callable[[list[NDArray[np.uint8]], list[str]], Sequence[BoolMask]]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a model predicted for one example.

    Args:
        example: the example.
        sentence: what the model was given; an experiment may change the example's own sentence.
        mask: the prediction, bool (H, W).
    """

    example: Example
    sentence: str
    mask: BoolMask

    @cached_property
    def object_ious(self) -> NDArray[np.float64]:
        """IoU of the prediction with each object of the image, (objects,)."""
        return iou_with_objects(self.mask, self.example.objects)

    @property
    def iou(self) -> float:
        """IoU of the prediction with the described object."""
        return float(self.object_ious[self.example.objects.index(self.example.target)])

    @property
    def selected(self) -> SceneObject | None:
        """The object with the largest IoU, the first of equal ones; None without any overlap."""
        best = int(self.object_ious.argmax())
        return self.example.objects[best] if self.object_ious[best] > 0 else None

    @property
    def is_right(self) -> bool:
        """Whether the selected object is the described one."""
        return self.selected is self.example.target


def iou_with_objects(mask: BoolMask, objects: Sequence[SceneObject]) -> NDArray[np.float64]:
    """Intersection over union of a mask with each object.

    Args:
        mask: (H, W).
        objects: K objects, with masks of the same size.

    Returns:
        K values; 0 where both masks are empty.
    """
    return iou_with_masks(mask, [obj.mask for obj in objects])


def iou_with_masks(mask: BoolMask, masks: Sequence[BoolMask]) -> NDArray[np.float64]:
    """Intersection over union of a mask (H, W) with each of K others; 0 where both are empty."""
    others = np.stack(masks)  # (K, H, W)
    intersection = (others & mask).sum(axis=(1, 2))
    union = (others | mask).sum(axis=(1, 2))
    return np.asarray(intersection / np.maximum(union, 1), np.float64)


def collect_outcomes(
    predict: Predict,
    data: ReferData,
    examples: Sequence[Example],
    sentences: Sequence[str] | None = None,
    *,
    batch_size: int = 64,
) -> list[Outcome]:
    """Predict the masks of examples, and keep them with the examples.

    An experiment changes one input: pass other `sentences`, or a function `predict` that changes
    the images before it calls the model.

    Args:
        predict: the `predict` of any system, or a function of your own with lists of images and
            sentences.
        data: the set that the examples come from.
        examples: from `load_examples`.
        sentences: one per example; by default the examples' own.
        batch_size: examples per call of `predict`.

    Raises:
        DataError: not one sentence per example, or not one mask per sentence.
    """
    if sentences is None:
        sentences = [example.sentence for example in examples]
    if len(sentences) != len(examples):
        raise DataError(f"there are {len(sentences)} sentences for {len(examples)} examples")
    outcomes: list[Outcome] = []
    for start in range(0, len(examples), batch_size):
        rows = examples[start : start + batch_size]
        texts = list(sentences[start : start + batch_size])
        masks = predict([data.image(row.image_id) for row in rows], texts)
        if len(masks) != len(rows):
            raise DataError(f"predict returned {len(masks)} masks for {len(rows)} sentences")
        outcomes += map(Outcome, rows, texts, masks)
    return outcomes
