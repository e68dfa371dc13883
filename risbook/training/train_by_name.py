"""`risbook.train`: a training in one line of Python."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch.utils.data import DataLoader, Subset

from risbook.config import from_values, with_overrides
from risbook.data.catalog import open_data
from risbook.data.dataset import ReferData
from risbook.data.load_dataset import as_dataset
from risbook.data.referring_dataset import ReferringDataset
from risbook.data.samples import TrainingSamples
from risbook.errors import RisbookError, StoppedError
from risbook.keyword_aliases import keyword_aliases
from risbook.systems import System
from risbook.systems.system_presets import SHIPPED_SYSTEMS, system_preset
from risbook.training.mask_objective import Loss
from risbook.training.training_config import TrainingConfig
from risbook.training.training_run import OptimizerFactory, train_system

#: keywords of other libraries
_ALIASES = {
    "dataset": "data",
    "train_data": "data",
    "train_dataset": "data",
    "system": "model",
    "num_epochs": "epochs",
    "output_dir": "out",
    "out_dir": "out",
    "save_dir": "out",
    "loss_fn": "loss",
    "criterion": "loss",
    "verbose": "show_progress",
}
_FIELD_ALIASES = {
    "lr": "learning_rate",
    "iterations": "steps",
    "max_steps": "steps",
    "num_steps": "steps",
    "split": "splits",
    "warmup_steps": "warmup",
}
_HINTS = {
    "eval_data": "name sets and splits, for instance eval_splits=['refscenes:val']",
    "val_data": "name sets and splits, for instance eval_splits=['refscenes:val']",
    "weight_decay": "give optimizer=, for instance functools.partial(AdamW, weight_decay=0.01)",
}


@keyword_aliases(_ALIASES, hints=_HINTS, name="risbook.train")
def train(
    model: str | System,
    data: Any = None,
    *,
    out: str | Path | None = None,
    epochs: int | None = None,
    resume: bool = False,
    device: str | torch.device | None = None,
    loss: Loss | None = None,
    optimizer: OptimizerFactory | None = None,
    show_progress: bool = True,
    **fields: Any,
) -> System:
    """Train a model.

        model = risbook.train("etris-mini", data="refscenes", steps=200)
        mask = model.predict("photo.jpg", "the left dog")

    Args:
        model: a preset's name for a new model, whose adapters and mask head start from random
            weights; or a model to train further, for instance that of `risbook.load`.
        data: what to train on: a name, a folder, a dataset of `risbook.data.load`, or samples of
            your own; or a list of names, folders and datasets. Without it, a model that comes with
            the package is trained as its checkpoint was.
        out: folder of the run; without `out` the run leaves no files.
        epochs: how often each object is visited, in place of `steps`.
        resume: continue the run in `out`.
        device: None for a GPU if there is one.
        loss: a function of logits (B, 1, h, w) and targets of the same size, 0 or 1, in place of
            the model's binary cross-entropy. The run's configuration does not hold it.
        optimizer: a class or function that takes groups of parameters and ``lr``, in place of
            `torch.optim.Adam`, for instance `torch.optim.AdamW`; not in the configuration either.
        show_progress: show a progress bar.
        fields: other fields of `risbook.training.TrainingConfig`, for instance seed, batch_size or
            ``overrides={"bridger.dim": 32}``; "lr" is its learning_rate. `warmup` is at most a
            tenth of `steps` unless it is given.

    Returns:
        The trained model, in evaluation mode; `history` has its losses.

    Raises:
        RisbookError: for an unknown field or an impossible value, and as
            `risbook.training.train_system`.
    """
    system_name = model.name if isinstance(model, System) else model
    fields = {_FIELD_ALIASES.get(name, name): value for name, value in fields.items()}
    for key in ("splits", "eval_splits"):
        if isinstance(fields.get(key), str):
            fields[key] = [fields[key]]
    sources: dict[str, ReferData] = {}
    if data is not None:
        sources = _open_sources(data, fields)
        fields["data"] = list(sources)
    if epochs is not None:
        if "steps" in fields:
            raise RisbookError("give either steps or epochs, not both")
        fields["steps"] = epochs * _steps_per_epoch(resolve_config(system_name, **fields), sources)
    config = resolve_config(system_name, **fields)
    options: dict[str, Any] = {
        "system": model if isinstance(model, System) else None,
        "sources": sources,
        "device": device,
        "loss": loss,
        "optimizer": optimizer or torch.optim.Adam,
        "show_progress": show_progress,
    }
    if out is not None:
        return train_system(config, Path(out), resume=resume, **options)
    if resume:
        raise RisbookError("resume=True: name with out= the folder of the run to continue")
    with TemporaryDirectory(prefix="risbook-") as folder:
        try:
            return train_system(config, Path(folder), **options)
        except StoppedError as stop:
            message = str(stop).split(";")[0]
            raise StoppedError(
                f"{message}; a run without a folder cannot be continued: name a folder with out=",
                stop.signum,
            ) from None


def _open_sources(data: Any, fields: dict[str, Any]) -> dict[str, ReferData]:
    """What is trained on, by name; sets the splits and the text of datasets in `fields`."""
    kinds = (str, Path, ReferringDataset, Subset, DataLoader)
    is_list = isinstance(data, list | tuple) and all(isinstance(entry, kinds) for entry in data)
    entries = list(data) if is_list else [data]
    sources: dict[str, ReferData] = {}
    datasets: dict[str, ReferringDataset] = {}
    for entry in entries:
        if isinstance(entry, str | Path):
            sources[str(entry)] = open_data(
                entry, partition=fields.get("partition"), images=fields.get("images")
            )
            continue
        dataset = as_dataset(entry)
        name = dataset.name if dataset.name not in sources else f"{dataset.name}-{len(sources)}"
        datasets[name] = dataset
        sources[name] = dataset.split_data()
    if datasets:
        splits = {dataset.split for dataset in datasets.values()}
        if len(splits) > 1:  # each is trained on in its own split only
            sources |= {name: dataset.split_data(alone=True) for name, dataset in datasets.items()}
        fields.setdefault("splits", sorted(splits))
        fields.setdefault("text", next(iter(datasets.values())).text)
    return sources


def _steps_per_epoch(config: TrainingConfig, sources: Mapping[str, ReferData]) -> int:
    opened = [
        sources.get(name)
        or open_data(name, partition=config.partition or None, images=config.images or None)
        for name in config.data
    ]
    count = len(TrainingSamples(sources=opened, splits=config.splits, image_size=1))
    return max(1, count // max(1, min(config.batch_size, count)))


def resolve_config(system: str, **fields: Any) -> TrainingConfig:
    """Complete the configuration of a run from some of its fields.

    Other fields have the defaults of `TrainingConfig`; without "data" they are those of the run
    that made the checkpoint in the package.

    Raises:
        RisbookError: for a wrong field, or without "data" for a system that has no checkpoint in
            the package.
    """
    system_preset(system)  # an unknown name is reported before any other mistake
    if isinstance(steps := fields.get("steps"), int):
        # a short run would otherwise end before its learning rate has risen
        fields.setdefault("warmup", min(TrainingConfig.warmup, steps // 10))
    if "data" in fields:
        return from_values(TrainingConfig, {"system": system, **fields})
    recorded = SHIPPED_SYSTEMS / system / "training.json"
    if not recorded.is_file():
        raise RisbookError(
            f"{system}: say what to train on, for instance data='refscenes' (--data refscenes on "
            "the command line)"
        )
    config = TrainingConfig.load(recorded)
    overrides = {**config.overrides, **fields.pop("overrides", {})}
    return with_overrides(config, {**fields, "overrides": overrides})
