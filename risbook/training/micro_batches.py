"""A batch in parts, whose gradients are added up."""

from typing import Any


def split_batch(
    batch: tuple[Any, ...], micro_batch: int | None
) -> list[tuple[tuple[Any, ...], float]]:
    """Split a batch into parts; each comes with its share of the samples.

    A loss is a mean over samples. So the losses of the parts, each times its share, add up to the
    loss of the batch, and their gradients to its gradient.

    Args:
        batch: tensors with one row per sample, or lists with one entry; anything, where
            `micro_batch` is None.
        micro_batch: samples per part, the last may have fewer; None for one part.

    >>> import torch
    >>> [(part[0].tolist(), share) for part, share in split_batch((torch.arange(4),), 3)]
    [([0, 1, 2], 0.75), ([3], 0.25)]
    """
    if micro_batch is None or micro_batch >= len(batch[0]):
        return [(batch, 1.0)]
    parts = []
    for start in range(0, len(batch[0]), micro_batch):
        part = tuple(values[start : start + micro_batch] for values in batch)
        parts.append((part, len(part[0]) / len(batch[0])))
    return parts
