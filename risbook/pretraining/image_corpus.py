"""The training pictures of the drawn world in memory, with what is said of them.

Pretraining looks at nothing but training pictures, their captions, their expressions and the boxes
of what these speak of: no mask, no category, no held-out picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from risbook.data.dataset import ReferData
from risbook.data.letterbox import BORDER
from risbook.errors import DataError
from risbook.progress_bar import progress_bar


@dataclass(frozen=True, slots=True)
class Described:
    """An object and one sentence about it.

    Args:
        picture: number of the picture.
        box: x, y, width and height on the canvas, pixels.
        text: the sentence.
        placed: whether the sentence may speak of places in the picture ("left one").
    """

    picture: int
    box: tuple[float, float, float, float]
    text: str
    placed: bool


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures on square canvases of one size, and what is said of them.

    Args:
        canvas: uint8 (N, 3, S, S); each picture stands unscaled in the middle, the rest is CLIP's
            mean colour.
        frame: where the picture lies on its canvas: x, y, width and height, (N, 4).
        captions: the sentences of each picture's caption.
        objects: all described objects, a row a sentence.
    """

    canvas: Tensor
    frame: Tensor
    captions: tuple[tuple[str, ...], ...]
    objects: tuple[Described, ...]

    def __len__(self) -> int:
        return len(self.canvas)

    def sentences(self) -> list[str]:
        """Everything that is said, for building a vocabulary."""
        return [" ".join(one) for one in self.captions] + [one.text for one in self.objects]


def read_pictures(sources: Sequence[ReferData], *, split: str = "train") -> Pictures:
    """Read all pictures of a split of one or several drawn sets; a shared picture counts once.

    Args:
        sources: drawn sets.
        split: the split.

    Raises:
        DataError: if a set has no captions.
    """
    numbers: dict[str, int] = {}
    todo: list[tuple[ReferData, int]] = []
    captions: list[tuple[str, ...]] = []
    objects: list[Described] = []
    side = max(max(e.height, e.width) for s in sources for e in s.expressions.split(split))
    for source in sources:
        if not source.captions:
            raise DataError(f"{source.folder}: no captions; pretraining needs drawn sets")
        for expression in source.expressions.split(split):
            key = expression.file_name
            if key not in numbers:
                numbers[key] = len(numbers)
                todo.append((source, expression.image_id))
                captions.append(sentences_of(source.caption(expression.image_id)))
            x, y, width, height = expression.bbox
            shift_x, shift_y = (side - expression.width) // 2, (side - expression.height) // 2
            objects.append(
                Described(
                    picture=numbers[key],
                    box=(x + shift_x, y + shift_y, width, height),
                    text=expression.sent,
                    placed=not source.name.endswith(("+", "g")),
                )
            )
    canvas = np.empty((len(todo), side, side, 3), dtype=np.uint8)
    canvas[:] = np.array(BORDER, dtype=np.uint8)
    frame = np.zeros((len(todo), 4), dtype=np.float32)
    for number, (source, image_id) in enumerate(progress_bar(todo, desc="pictures")):
        image = source.image(image_id)
        height, width = image.shape[:2]
        y, x = (side - height) // 2, (side - width) // 2
        canvas[number, y : y + height, x : x + width] = image
        frame[number] = x, y, width, height
    return Pictures(
        canvas=torch.from_numpy(canvas).permute(0, 3, 1, 2).contiguous(),
        frame=torch.from_numpy(frame),
        captions=tuple(captions),
        objects=tuple(objects),
    )


def sentences_of(caption: str) -> tuple[str, ...]:
    """Cut a caption into its sentences.

    >>> sentences_of("A view in a park. On the left there is a red mug.")
    ('A view in a park.', 'On the left there is a red mug.')
    """
    return tuple(f"{one}." for one in caption.rstrip(". ").split(". "))
