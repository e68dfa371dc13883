"""The training images of RefScenes in memory, with their captions and expressions.

Pretraining reads nothing but training images, their captions, their expressions and the boxes of
the objects that these refer to: no mask, no category, no held-out image.
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

#: x, y, width and height, pixels
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class DescribedObject:
    """An object and one expression that refers to it.

    Args:
        image_index: number of the image.
        box: x, y, width and height on the canvas, pixels.
        text: the expression, cleaned.
        spatial: whether the expression may name a place in the image ("left one").
    """

    image_index: int
    box: Box
    text: str
    spatial: bool


@dataclass(frozen=True, slots=True)
class ImageCorpus:
    """Images on square canvases of one size, with their text.

    Args:
        canvas: uint8 (N, 3, S, S); each image stands unscaled in the middle, the rest is CLIP's
            mean colour.
        frame: box of each image on its canvas: x, y, width and height, (N, 4).
        captions: the sentences of each image's caption.
        objects: all described objects, a row per expression.
    """

    canvas: Tensor
    frame: Tensor
    captions: tuple[tuple[str, ...], ...]
    objects: tuple[DescribedObject, ...]

    def __len__(self) -> int:
        return len(self.canvas)

    def sentences(self) -> list[str]:
        """All captions and expressions, for building a vocabulary."""
        captions = [" ".join(sentences) for sentences in self.captions]
        return captions + [described.text for described in self.objects]


def read_corpus(sources: Sequence[ReferData], *, split: str = "train") -> ImageCorpus:
    """Read all images of a split of one or several drawn sets; a shared image counts once.

    Raises:
        DataError: if a set has no captions.
    """
    indices: dict[str, int] = {}  # by file name
    images: list[tuple[ReferData, int]] = []
    captions: list[tuple[str, ...]] = []
    objects: list[DescribedObject] = []
    side = max(max(e.height, e.width) for s in sources for e in s.expressions.split(split))
    for source in sources:
        if not source.captions:
            raise DataError(f"{source.folder}: no captions; pretraining needs drawn sets")
        for expression in source.expressions.split(split):
            if expression.file_name not in indices:
                indices[expression.file_name] = len(indices)
                images.append((source, expression.image_id))
                captions.append(split_caption(source.caption(expression.image_id)))
            x, y, width, height = expression.bbox
            shift_x, shift_y = (side - expression.width) // 2, (side - expression.height) // 2
            objects.append(
                DescribedObject(
                    image_index=indices[expression.file_name],
                    box=(x + shift_x, y + shift_y, width, height),
                    text=expression.sent,
                    # RefCOCO+ and RefCOCOg, and so their drawn counterparts, avoid places
                    spatial=not source.name.endswith(("+", "g")),
                )
            )
    canvas = np.full((len(images), side, side, 3), BORDER, dtype=np.uint8)
    frame = torch.zeros(len(images), 4)
    for index, (source, image_id) in enumerate(progress_bar(images, desc="images")):
        image = source.image(image_id)
        height, width = image.shape[:2]
        y, x = (side - height) // 2, (side - width) // 2
        canvas[index, y : y + height, x : x + width] = image
        frame[index] = torch.tensor([x, y, width, height])
    return ImageCorpus(
        canvas=torch.from_numpy(canvas).permute(0, 3, 1, 2).contiguous(),
        frame=frame,
        captions=tuple(captions),
        objects=tuple(objects),
    )


def split_caption(caption: str) -> tuple[str, ...]:
    """Cut a caption into its sentences.

    >>> split_caption("A view in a park. On the left there is a red mug.")
    ('A view in a park.', 'On the left there is a red mug.')
    """
    return tuple(f"{sentence}." for sentence in caption.rstrip(". ").split(". "))
