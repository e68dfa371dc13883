"""Expressions in batches of whole images, loaded ahead by threads.

All expressions of an image share its pixels, its letterbox and, where they refer to the same
object, its mask. So each image is read once, and each object's mask is decoded once.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from risbook.data.dataset import ReferData
from risbook.data.expressions import Expression
from risbook.data.letterbox import Letterbox, normalise

#: threads that read images and masks while the network computes
MAX_WORKERS = 8


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """An image with expressions about it.

    Args:
        expressions: N expressions of the image.
        letterbox: how it was letterboxed.
        image: letterboxed and normalised, float32 (3, S, S).
        truths: annotated masks, bool (N, H, W).
    """

    expressions: Sequence[Expression]
    letterbox: Letterbox
    image: Tensor
    truths: Tensor


def group_by_image(expressions: Iterable[Expression]) -> list[list[Expression]]:
    """The expressions of each image, in the order in which images first occur."""
    groups: dict[int, list[Expression]] = {}
    for expression in expressions:
        groups.setdefault(expression.image_id, []).append(expression)
    return list(groups.values())


def pack_batches(
    groups: Iterable[Sequence[Expression]], batch_size: int
) -> list[list[Sequence[Expression]]]:
    """Whole images in batches of at most `batch_size` expressions.

    An image with more expressions is divided.

    >>> pack_batches(["aaa", "bb", "ccccc"], 4)
    [['aaa'], ['bb'], ['cccc'], ['c']]
    """
    batches: list[list[Sequence[Expression]]] = []
    room = 0
    for group in groups:
        for start in range(0, len(group), batch_size):
            part = group[start : start + batch_size]
            if len(part) > room:
                batches.append([])
                room = batch_size
            batches[-1].append(part)
            room -= len(part)
    return batches


def load_image(data: ReferData, expressions: Sequence[Expression], size: int) -> LoadedImage:
    """Read an image and the masks of some of its expressions.

    Args:
        data: the set.
        expressions: of one image.
        size: side S of the letterboxed square, pixels.
    """
    first = expressions[0]
    letterbox = Letterbox(height=first.height, width=first.width, size=size)
    masks = {expression.ann_id: expression for expression in expressions}
    truths = {ann_id: data.mask(expression) for ann_id, expression in masks.items()}
    return LoadedImage(
        expressions=expressions,
        letterbox=letterbox,
        image=torch.from_numpy(normalise(letterbox.image(data.image(first)))),
        truths=torch.from_numpy(np.stack([truths[row.ann_id] for row in expressions])),
    )


def load_batches(
    data: ReferData, batches: Sequence[Sequence[Sequence[Expression]]], *, size: int
) -> Iterator[list[LoadedImage]]:
    """Load the images of each batch, two batches ahead.

    Args:
        data: the set.
        batches: the result of `pack_batches`.
        size: side S of the letterboxed square, pixels.
    """
    workers = min(MAX_WORKERS, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[list[Future[LoadedImage]]] = deque()
        try:
            for batch in batches:
                ahead.append([pool.submit(load_image, data, group, size) for group in batch])
                if len(ahead) > 2:
                    yield [future.result() for future in ahead.popleft()]
            while ahead:
                yield [future.result() for future in ahead.popleft()]
        finally:
            for futures in ahead:
                for future in futures:
                    future.cancel()
