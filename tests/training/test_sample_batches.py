"""Batches of samples: from any step on, and shared among processes."""

from itertools import islice

import pytest
import torch

from risbook.data import open_data
from risbook.data.samples import Batch, TrainingSamples
from risbook.training.sample_batches import load_batches


@pytest.fixture
def samples() -> TrainingSamples:
    whole = TrainingSamples(sources=[open_data("refscenes-sample")], cache_images=True)
    return whole.with_image_size(32)


def first_batches(samples: TrainingSamples, count: int, **options: int) -> list[Batch]:
    return list(islice(load_batches(samples, batch_size=10, seed=0, **options), count))


def test_a_run_that_starts_later_gets_the_same_batches(samples: TrainingSamples) -> None:
    epoch_steps = len(samples) // 10
    assert epoch_steps == 2
    batches = first_batches(samples, 6)
    assert batches[0].images.shape == (10, 3, 32, 32)
    for start in (1, 3, 4):
        (batch,) = first_batches(samples, 1, start=start)
        assert batch.texts == batches[start].texts
        assert torch.equal(batch.masks, batches[start].masks)


def test_processes_get_the_parts_of_a_batch(samples: TrainingSamples) -> None:
    batches = first_batches(samples, 3)
    parts = [first_batches(samples, 3, process=rank, num_processes=2) for rank in (0, 1)]
    for whole, first, second in zip(batches, *parts, strict=True):
        assert first.texts + second.texts == whole.texts
        assert len(first.texts) == 5


def test_samples_of_another_size_share_no_cache(samples: TrainingSamples) -> None:
    assert samples[0].image.shape == (32, 32, 3)
    assert samples.with_image_size(16)[0].image.shape == (16, 16, 3)
    assert samples[0].image.shape == (32, 32, 3)
