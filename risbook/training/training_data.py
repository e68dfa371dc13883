"""The training samples and the evaluated splits of a run, opened by their names."""

from collections.abc import Mapping
from dataclasses import dataclass

from risbook.data import ReferData, ReferringDataset, open_data
from risbook.data.image_key import image_key
from risbook.data.letterbox_cache import LetterboxCache
from risbook.data.samples import TrainingSamples
from risbook.errors import ArgumentError, DataError, warn_user
from risbook.training.training_config import TrainingConfig


@dataclass(frozen=True)
class TrainingData:
    """The data of a run.

    Args:
        samples: the referred objects to train on.
        eval_splits: what is evaluated while training, by the names of set and split.
        batch_size: samples per step, all processes together; at most all samples.
    """

    samples: TrainingSamples
    eval_splits: Mapping[tuple[str, str], ReferringDataset]
    batch_size: int

    @property
    def epoch_steps(self) -> int:
        """Steps per epoch; an incomplete last batch is dropped."""
        return len(self.samples) // self.batch_size


def open_training_data(
    config: TrainingConfig, *, sources: Mapping[str, ReferData] | None = None
) -> TrainingData:
    """Open the data of a run, so that mistakes in it are reported before the first step.

    Args:
        config: names of the data, splits, kind of text and batch size.
        sources: data by the names that `config.data` and `config.eval_splits` have for them. Other
            names are opened by `risbook.data.open_data`.

    Raises:
        DataError: for missing or empty sets, and for a cache that lacks images.
        ArgumentError: for wrong `eval_splits`, and for more images than there are.
    """
    opened = dict(sources or {})

    def source(name: str) -> ReferData:
        if name not in opened:
            opened[name] = open_data(
                name, partition=config.partition or None, images=config.image_folder or None
            )
        return opened[name]

    samples = TrainingSamples(
        sources=[source(name) for name in config.data],
        splits=config.splits,
        seed=config.seed,
        text_kind=config.text_kind,
        cache_images=config.cache_images,
        image_cache=LetterboxCache(config.image_cache) if config.image_cache else None,
        num_images=config.num_images,
        subset_seed=config.subset_seed,
    )
    if not samples.objects:
        raise DataError(f"there is nothing to train on in {', '.join(config.data)}")
    if samples.image_cache is not None:
        samples.image_cache.check_complete(
            (source, referent.expressions[0]) for source, referent in samples.objects
        )
    eval_splits = {}
    for eval_split in config.eval_splits:
        name, _, split = eval_split.rpartition(":")
        if not name:
            raise ArgumentError(
                f"eval_splits {eval_split!r}: write it as SET:SPLIT, for instance refscenes:val"
            )
        dataset = ReferringDataset(source(name), split=split, text_kind=config.text_kind)
        eval_splits[name, split] = dataset
        trained = {image_key(data, row.expressions[0]) for data, row in samples.objects}
        evaluated = {image_key(dataset.data, row) for row in dataset.expressions}
        if shared := len(evaluated & trained):
            warn_user(
                f"{eval_split}: {shared} of {len(evaluated)} images are trained on, too, so its "
                "scores are not those of unseen images"
            )
    return TrainingData(samples, eval_splits, min(config.batch_size, len(samples)))
