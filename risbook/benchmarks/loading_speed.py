"""How fast training samples are loaded, from the originals and from a cache.

A sample is one letterboxed and normalised image, one sentence and one soft mask, put into a batch
as a training takes it. One process loads. Its processor seconds count, so that other programs do
not.
"""

import statistics
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from risbook.benchmarks.stopwatch import measure_duration
from risbook.data import ExpressionTable, ReferData
from risbook.data.letterbox_cache import LetterboxCache, write_letterbox_cache
from risbook.data.samples import TrainingSamples, collate
from risbook.errors import ArgumentError


@dataclass(frozen=True)
class LoadingSpeed:
    """Samples per second and core.

    Args:
        dataset: its name.
        split: its split.
        image_size: side S of the letterboxed square, pixels.
        samples: objects that a round loads.
        images: images that they are in.
        batch_size: samples per batch.
        original: rates from the original images, one per round.
        cached: rates from the cache, one per round.
        cache_bytes: bytes of the cached images, per image.
    """

    dataset: str
    split: str
    image_size: int
    samples: int
    images: int
    batch_size: int
    original: tuple[float, ...]
    cached: tuple[float, ...]
    cache_bytes: float

    @property
    def medians(self) -> tuple[float, float]:
        """Median rate from the originals, and from the cache."""
        return statistics.median(self.original), statistics.median(self.cached)


def measure_loading(
    data: ReferData,
    *,
    split: str = "train",
    image_size: int = 416,
    limit: int = 64,
    batch_size: int = 32,
    rounds: int = 5,
    image_cache: str | Path | None = None,
) -> LoadingSpeed:
    """Load the same samples from the originals and from a cache, several times each.

    The first round of either warms up and does not count; from then on the files are in memory, so
    that decoding is measured and not the disk.

    Args:
        data: the set.
        split: its split.
        image_size: side S of the letterboxed square, pixels.
        limit: objects that a round loads: the first of the split.
        batch_size: samples per batch; at most `limit`.
        rounds: that count.
        image_cache: a cache that is there already; None makes one in a temporary folder.

    Raises:
        ArgumentError: the split has no object.
        DataError: an image is missing or broken, or the cache is of another size.
    """
    originals = TrainingSamples(sources=[data], splits=(split,), image_size=image_size)
    originals.objects = originals.objects[:limit]
    if not originals.objects:
        raise ArgumentError(f"{data.name}: {split} has no object to load")
    expressions = [referent.expressions[0] for _, referent in originals.objects]
    with TemporaryDirectory() as folder:
        if image_cache is None:
            image_ids = {row.image_id for row in expressions}
            rows = [row for row in data.expressions.split(split) if row.image_id in image_ids]
            part = replace(data, expressions=ExpressionTable(rows, source=data.expressions.source))
            cache = write_letterbox_cache([part], folder, image_size=image_size, splits=(split,))
        else:
            cache = LetterboxCache(image_cache)
            cache.check_complete((data, row) for row in expressions)
        cached = TrainingSamples(
            sources=[data], splits=(split,), image_size=image_size, image_cache=cache
        )
        cached.objects = originals.objects
        files = {cache.path(row.file_name) for row in expressions}
        rates = [
            _measure_rates(samples, batch_size=batch_size, rounds=rounds)
            for samples in (originals, cached)
        ]
        cache_bytes = sum(path.stat().st_size for path in files) / len(files)
    return LoadingSpeed(
        dataset=data.name,
        split=split,
        image_size=image_size,
        samples=len(expressions),
        images=len(files),
        batch_size=min(batch_size, len(expressions)),
        original=rates[0],
        cached=rates[1],
        cache_bytes=cache_bytes,
    )


def _measure_rates(samples: TrainingSamples, *, batch_size: int, rounds: int) -> tuple[float, ...]:
    """Samples per processor second, one number per round."""

    def load() -> None:
        for start in range(0, len(samples), batch_size):
            stop = min(start + batch_size, len(samples))
            collate([samples[index] for index in range(start, stop)])

    load()
    durations = [measure_duration(load, torch.device("cpu")) for _ in range(rounds)]
    return tuple(len(samples) / duration.processor for duration in durations)
