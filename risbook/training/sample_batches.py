"""Batches of training samples, epoch after epoch, from any step on."""

import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader

from risbook.data.samples import Batch, EpochBatches, TrainingSamples, collate


def load_batches(
    samples: TrainingSamples,
    *,
    batch_size: int,
    seed: int,
    start: int = 0,
    process: int = 0,
    num_processes: int = 1,
    num_workers: int = 0,
) -> Iterator[Batch]:
    """Load batches without end.

    Args:
        samples: the samples; their `epoch` is counted up.
        batch_size: samples per step, all processes together; a multiple of `num_processes`.
        seed: decides, with the epoch, the order of the samples.
        start: steps to leave out, those before a resumed run.
        process: number of this process; each loads its part of every batch.
        num_processes: how many processes train together.
        num_workers: loader processes of this process.
    """
    share = batch_size // num_processes
    own_part = slice(process * share, (process + 1) * share)
    first_epoch, batches_done = divmod(start, len(samples) // batch_size)
    for epoch in itertools.count(first_epoch):
        samples.epoch = epoch
        order = EpochBatches(
            count=len(samples), batch_size=batch_size, seed=seed, epoch=epoch, start=batches_done
        )
        loader: DataLoader[Any] = DataLoader(
            samples,
            batch_sampler=[indices[own_part] for indices in order],
            collate_fn=collate,
            num_workers=num_workers,
            # Without this generator each new loader would draw from the one that dropout uses.
            # A resumed run makes one more loader and would get other weights.
            generator=torch.Generator().manual_seed(seed),
        )
        yield from loader
        batches_done = 0
