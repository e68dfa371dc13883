"""Multi-crop: the large and small crops of one region of an image, for self-distillation.

Unsupervised learning of visual features by contrasting cluster assignments (Caron et al., 2020),
section 3.2. DINOv2 learns from images that were curated because an object stands in their middle
(its section 3); here most regions lie around an object that an expression refers to.

A large crop is sampled a little larger than the network's input. Student and teacher get two
windows of it, a few whole patches apart and with other colours. So a patch of the one is a patch
of the other, and neither its colours nor its position in the window gives it away.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from risbook.pretraining.augmentations import (
    boxes_around,
    crop,
    flip,
    jitter_colours,
    normalise_views,
    random_boxes,
)
from risbook.pretraining.image_corpus import DescribedObject, ImageCorpus


@dataclass(frozen=True)
class CropConfig:
    """How regions of images, and the crops of a region, are sampled.

    Args:
        batch_size: regions per batch.
        object_share: share of the regions that lie around a described object; the others lie
            anywhere.
        zoom: smallest and largest side of a region around an object, in units of the object's
            longer side.
        region_area: share of an image that one of the other regions covers, from and to.
        large_size: side of a window of the two large crops of a region, pixels.
        margin: how much larger the crop is than its windows, patches.
        large_area: share of the region that a large crop covers, from and to.
        small_size: side of the small crops, pixels.
        num_small: small crops per region.
        small_area: share of the region that a small crop covers, from and to.
    """

    batch_size: int = 64
    object_share: float = 0.75
    zoom: tuple[float, float] = (1.2, 3.5)
    region_area: tuple[float, float] = (0.1, 0.5)
    large_size: int = 48
    margin: int = 2
    large_area: tuple[float, float] = (0.4, 1.0)
    small_size: int = 24
    num_small: int = 4
    small_area: tuple[float, float] = (0.1, 0.4)


def unique_objects(objects: Sequence[DescribedObject]) -> list[DescribedObject]:
    """Each described object once, however many expressions refer to it."""
    return list({(entry.image_index, entry.box): entry for entry in objects}.values())


@dataclass(frozen=True, slots=True)
class CropBatch:
    """The crops of B regions, normalised as CLIP's images are.

    Args:
        student: the student's windows of the large crops, first one of each region, then the
            other, (2 B, 3, S, S).
        teacher: the teacher's windows of the same crops.
        matches: for the first and for the second half, which patches are the same: their numbers
            in the student's and in the teacher's window, (2, P).
        small: the small crops, in the same order, (num_small x B, 3, s, s).
    """

    student: Tensor
    teacher: Tensor
    matches: Sequence[Tensor]
    small: Tensor


def sample_crops(
    corpus: ImageCorpus,
    objects: Sequence[DescribedObject],
    config: CropConfig,
    generator: torch.Generator,
    *,
    patch_size: int,
) -> CropBatch:
    """Sample a batch of regions, some of them around `objects`, and their crops.

    `patch_size` is the side of a patch in pixels.
    """
    canvas, regions = _sample_regions(corpus, objects, config, generator)

    def crops(area: tuple[float, float], size: int) -> Tensor:
        return flip(crop(canvas, random_boxes(regions, area, generator), size), generator)

    def augment(views: Tensor) -> Tensor:
        return normalise_views(jitter_colours(views, generator))

    windows: tuple[list[Tensor], list[Tensor]] = [], []  # the student's and the teacher's
    matches = []
    size = config.large_size
    for _ in range(2):
        view = crops(config.large_area, size + config.margin * patch_size)
        corners = torch.randint(config.margin + 1, (2, 2), generator=generator).tolist()
        for batches, corner in zip(windows, corners, strict=True):
            top, left = (patch_size * offset for offset in corner)
            batches.append(augment(view[..., top : top + size, left : left + size]))
        matches.append(match_patches(corners[0], corners[1], size // patch_size))
    small = [augment(crops(config.small_area, config.small_size)) for _ in range(config.num_small)]
    return CropBatch(
        student=torch.cat(windows[0]),
        teacher=torch.cat(windows[1]),
        matches=matches,
        small=torch.cat([torch.empty(0, 3, config.small_size, config.small_size), *small]),
    )


def match_patches(corner: Sequence[int], other: Sequence[int], side: int) -> Tensor:
    """Numbers of the patches that two windows of one image have in common.

    Args:
        corner: row and column of the first window's corner, patches.
        other: the same of the second window.
        side: side of the windows, patches.

    Returns:
        (2, P): a column per patch, its number in the first and in the second window.

    >>> match_patches((0, 0), (1, 1), 2).tolist()
    [[3], [0]]
    """
    numbers = torch.arange(side * side).reshape(side, side)
    down, right = other[0] - corner[0], other[1] - corner[1]
    rows, columns = side - abs(down), side - abs(right)
    first = numbers[max(down, 0) :, max(right, 0) :][:rows, :columns]
    second = numbers[max(-down, 0) :, max(-right, 0) :][:rows, :columns]
    return torch.stack([first.flatten(), second.flatten()])


def _sample_regions(
    corpus: ImageCorpus,
    objects: Sequence[DescribedObject],
    config: CropConfig,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Canvases, uint8 (B, 3, S, S), and the boxes of the regions on them, (B, 4)."""
    num_objects = round(config.batch_size * config.object_share)
    num_others = min(config.batch_size - num_objects, len(corpus))
    num_objects = min(num_objects, len(objects))
    chosen = [objects[i] for i in torch.randperm(len(objects), generator=generator)[:num_objects]]
    others = torch.randperm(len(corpus), generator=generator)[:num_others]
    boxes = torch.tensor([described.box for described in chosen]).reshape(-1, 4)
    regions = torch.cat(
        [
            boxes_around(boxes, config.zoom, generator),
            random_boxes(corpus.frame[others], config.region_area, generator),
        ]
    )
    indices = torch.tensor([described.image_index for described in chosen] + others.tolist())
    return corpus.canvas[indices], regions
