"""Multi-crop: the large and small views of one part of a picture that self-distillation compares.

Unsupervised learning of visual features by contrasting cluster assignments (Caron et al., 2020),
section 3.2. DINOv2 learns from pictures that were chosen because something stands in their middle
(its section 3); here most parts lie around a thing that an expression speaks of.

A large crop is drawn a little larger than it is looked at. Student and teacher see two windows of
it, a few whole patches apart and in other colours. So a patch of the one is a patch of the other,
and neither its colours nor its place in the window give it away.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from risbook.pretraining.augmentations import (
    around,
    crop,
    flip,
    jitter_colours,
    normalise_views,
    random_boxes,
)
from risbook.pretraining.image_corpus import Described, Pictures


@dataclass(frozen=True)
class CropConfig:
    """How parts of pictures, and the crops of a part, are drawn.

    Args:
        parts: parts a batch.
        close: share of the parts that lie around a described thing; the others lie anywhere.
        zoom: smallest and largest side of a close part, in units of the thing's longer side.
        anywhere: share of a picture that one of the other parts shows, from and to.
        large: side of a window of the two large crops of a part, pixels.
        margin: how much larger the crop is than its windows, patches.
        large_area: share of the part that a large crop shows, from and to.
        small: side of the small crops, pixels.
        smalls: number of small crops of a part.
        small_area: share of the part that a small crop shows, from and to.
    """

    parts: int = 64
    close: float = 0.75
    zoom: tuple[float, float] = (1.2, 3.5)
    anywhere: tuple[float, float] = (0.1, 0.5)
    large: int = 48
    margin: int = 2
    large_area: tuple[float, float] = (0.4, 1.0)
    small: int = 24
    smalls: int = 4
    small_area: tuple[float, float] = (0.1, 0.4)


def things(objects: Sequence[Described]) -> list[Described]:
    """Each described thing once, however many sentences speak of it."""
    return list({(one.picture, one.box): one for one in objects}.values())


@dataclass(frozen=True, slots=True)
class Crops:
    """The crops of a batch of B parts, normalised as CLIP's pictures are.

    Args:
        student: the student's windows of the large crops, first one of each part, then the other,
            (2 B, 3, S, S).
        teacher: the teacher's windows of the same crops.
        pairs: for the first and for the second half, which patches are the same: their numbers in
            the student's and in the teacher's window, (2, P).
        small: the small crops, in the same order, (smalls x B, 3, s, s).
    """

    student: Tensor
    teacher: Tensor
    pairs: tuple[Tensor, Tensor]
    small: Tensor


def draw_crops(
    pictures: Pictures,
    described: Sequence[Described],
    config: CropConfig,
    generator: torch.Generator,
    *,
    patch: int,
) -> Crops:
    """Draw a batch of parts and their crops.

    Args:
        pictures: the training pictures.
        described: the things that close parts lie around.
        config: sizes and shares.
        generator: decides.
        patch: side of a patch, pixels.
    """
    canvas, parts = _draw_parts(pictures, described, config, generator)

    def crops(area: tuple[float, float], size: int) -> Tensor:
        return flip(crop(canvas, random_boxes(parts, area, generator), size), generator)

    def dressed(views: Tensor) -> Tensor:
        return normalise_views(jitter_colours(views, generator))

    student, teacher, pairs = [], [], []
    for _ in range(2):
        view = crops(config.large_area, config.large + config.margin * patch)
        ours, theirs = torch.randint(config.margin + 1, (2, 2), generator=generator).tolist()
        student.append(dressed(_window(view, ours, config.large, patch)))
        teacher.append(dressed(_window(view, theirs, config.large, patch)))
        pairs.append(same_patches(ours, theirs, config.large // patch))
    small = [dressed(crops(config.small_area, config.small)) for _ in range(config.smalls)]
    return Crops(
        student=torch.cat(student),
        teacher=torch.cat(teacher),
        pairs=(pairs[0], pairs[1]),
        small=torch.cat(small) if small else torch.empty(0, 3, config.small, config.small),
    )


def same_patches(ours: Sequence[int], theirs: Sequence[int], side: int) -> Tensor:
    """Numbers of the patches that two windows of one picture have in common.

    Args:
        ours: row and column of the first window's corner, patches.
        theirs: the same of the second one.
        side: side of the windows, patches.

    Returns:
        (2, P): a column a patch, its number in the first and in the second window.

    >>> same_patches((0, 0), (1, 1), 2).tolist()
    [[3], [0]]
    """
    numbers = torch.arange(side * side).reshape(side, side)
    down, right = theirs[0] - ours[0], theirs[1] - ours[1]
    rows, columns = side - abs(down), side - abs(right)
    first = numbers[max(down, 0) :, max(right, 0) :][:rows, :columns]
    second = numbers[max(-down, 0) :, max(-right, 0) :][:rows, :columns]
    return torch.stack([first.flatten(), second.flatten()])


def _draw_parts(
    pictures: Pictures,
    described: Sequence[Described],
    config: CropConfig,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Canvases, uint8 (B, 3, S, S), and the boxes of the parts on them, (B, 4)."""
    wanted = round(config.parts * config.close)
    close, other = min(wanted, len(described)), min(config.parts - wanted, len(pictures))
    chosen = [described[i] for i in torch.randperm(len(described), generator=generator)[:close]]
    anywhere = torch.randperm(len(pictures), generator=generator)[:other]
    boxes = torch.tensor([one.box for one in chosen]).reshape(-1, 4)
    parts = torch.cat(
        [
            around(boxes, config.zoom, generator),
            random_boxes(pictures.frame[anywhere], config.anywhere, generator),
        ]
    )
    numbers = torch.tensor([one.picture for one in chosen] + anywhere.tolist())
    return pictures.canvas[numbers], parts


def _window(views: Tensor, corner: Sequence[int], size: int, patch: int) -> Tensor:
    top, left = (patch * one for one in corner)
    return views[..., top : top + size, left : left + size]
