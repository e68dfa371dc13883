"""`risbook.train`: names, datasets and modules become the `TrainingConfig` of a run."""

import dataclasses
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar, overload

import torch
from torch import nn

from risbook.attribute_hints import close_name
from risbook.config import rename_fields
from risbook.data.referring_dataset import DEFAULT_IMAGE_SIZE
from risbook.errors import ArgumentError, StoppedError
from risbook.keyword_aliases import keyword_aliases
from risbook.synonyms import TRAIN_FIELDS, TRAIN_KEYWORDS
from risbook.systems import System
from risbook.systems.checkpoints import list_shipped
from risbook.systems.losses import LOSSES, Loss
from risbook.systems.network_system import NetworkSystem
from risbook.systems.system_presets import get_system_preset, system_config
from risbook.training.named_sources import NamedSources
from risbook.training.old_runs import OLD_NAMES
from risbook.training.optimizers import OptimizerFactory
from risbook.training.progress_lines import print_end, print_row, print_start
from risbook.training.run import resolve_config, train_system
from risbook.training.training_config import TrainingConfig
from risbook.training.training_data import open_training_data

NetworkT = TypeVar("NetworkT", bound=nn.Module)


@overload
def train(model: str | System, data: Any = None, **options: Any) -> System: ...
@overload
def train(model: NetworkT, data: Any = None, **options: Any) -> NetworkT: ...
@keyword_aliases(TRAIN_KEYWORDS, name="risbook.train")
def train(
    model: str | nn.Module,
    data: Any = None,
    *,
    eval_data: Any = None,
    out: str | Path | None = None,
    epochs: int | None = None,
    resume: bool = False,
    device: str | torch.device | None = None,
    loss: str | Loss | None = None,
    optimizer: str | OptimizerFactory | torch.optim.Optimizer | None = None,
    show_progress: bool = True,
    **fields: Any,
) -> nn.Module:
    """Train a model::

        model = risbook.train("etris-mini", data="refscenes", steps=200)
        mask = model.predict("photo.jpg", "the left dog")

    Args:
        model: one of

            - a preset's name: a new model, whose adapters and mask head start from random weights;
            - a model to train further, for instance that of `risbook.load`;
            - a network of your own, see `risbook.systems.NetworkSystem`. Its images have the size
              of the dataset's, and a checkpoint in `out` holds its weights, but `risbook.load`
              cannot build it.
        data: what to train on. Without it, a model that comes with the package is trained as its
            checkpoint was. One of

            - a name or a folder, which means its split train, or "refscenes:val" for another;
            - a dataset of `risbook.data.load`;
            - samples of your own;
            - a list of names, folders and datasets.
        eval_data: what to evaluate on, after every `eval_every` steps (with `epochs`, after every
            epoch) and after the last: "refscenes:val", a dataset, samples, or a list of the first
            two. `history` gets a row of kind "evaluation" for each. All are read in the run's
            `text_kind`.
        out: folder of the run; without `out` the run leaves no files.
        epochs: length of the run in place of `steps`. An epoch visits each object once, with one of
            its sentences: 100 sentences about 40 objects are 5 batches of 8. Objects that would
            not fill its last batch wait for the next epoch.
        resume: continue the run in `out`. Give the same data, `loss` and `optimizer` again. Only
            the names and the sizes of the data are checked, because the configuration of the run
            holds neither datasets nor functions.
        device: None for a GPU if there is one.
        loss: in place of the model's binary cross-entropy. A name, "cross-entropy", "dice",
            "cross-entropy-dice" or what `risbook.training.register_loss` added; or a function of
            logits (B, 1, h, w) and targets of that size in [0, 1]. It returns a scalar; or a
            dictionary of scalars, of which "loss" is minimised and all are in `history`.
        optimizer: in place of Adam. A name, "adamw" or "sgd"; or a class or function that takes
            groups of parameters and ``lr``, for instance `torch.optim.AdamW`; or an optimiser. The
            rate of each of its groups is then the highest rate of that group's schedule.
        show_progress: show a progress bar, a line for each evaluation and one at the end; where no
            bar can be seen, a line for each row of `history`.
        fields: other fields of `risbook.training.TrainingConfig`, for instance seed or batch_size;
            "lr" is its learning_rate. Unless they are given, `warmup` is at most a tenth of
            `steps`, and `log_every` a twentieth. For a new model also fields of its configuration,
            as `risbook.load` takes them, for instance ``bridger=None``. The learning rate of 1e-3
            is for new adapters, also where a trained model is given: that one needs a smaller rate.

    Returns:
        The trained model, in evaluation mode; `history` has its losses and its scores.

    Raises:
        RisbookError: for an unknown field or an impossible value, and as
            `risbook.training.train_system`.
    """
    if not isinstance(model, str | nn.Module):
        raise ArgumentError(
            f"the model is a {type(model).__name__}; give a name of risbook.list_models(), a model "
            "of risbook.load, or a network that takes images and sentences"
        )
    system: System | None = None
    network: NetworkSystem | None = None
    if isinstance(model, System):
        system = model
    elif isinstance(model, nn.Module):
        system = network = NetworkSystem(model, image_size=DEFAULT_IMAGE_SIZE)
    system_name = system.name if system else str(model)
    fields = rename_fields(fields, {**OLD_NAMES, **TRAIN_FIELDS})
    if isinstance(loss, str):
        if loss:
            LOSSES.lookup(loss)  # an unknown name is reported before the data are opened
        fields["loss"], loss = loss, None
    if isinstance(optimizer, str):
        fields["optimizer"], optimizer = optimizer, None
    if isinstance(optimizer, torch.optim.Optimizer) and "learning_rate" in fields:
        raise ArgumentError("lr has no effect on an optimiser of your own, whose groups have rates")
    for key in ("splits", "eval_splits"):
        if isinstance(fields.get(key), str):
            fields[key] = [fields[key]]
    fields = _move_overrides(fields, system_name, system)
    sources = NamedSources(partition=fields.get("partition"), images=fields.get("image_folder"))
    if data is not None:
        data_fields = sources.add_training_data(data)
        if "splits" in data_fields and "splits" in fields:
            raise ArgumentError(
                f"splits={fields['splits']}: the data are of the split "
                f"{' and '.join(data_fields['splits'])} already; leave splits= out"
            )
        fields = {**data_fields, **fields}
    if network is not None and sources.image_sizes:
        network.image_size = _common_size(sources.image_sizes)
    if eval_data is not None:
        eval_splits = sources.add_eval_data(eval_data)
        fields["eval_splits"] = [*fields.get("eval_splits", ()), *eval_splits]
    if epochs is not None and "steps" in fields:
        raise ArgumentError("give either steps or epochs, not both")
    if resume and out is None:
        raise ArgumentError("resume=True: name with out= the folder of the run to continue")
    config = resolve_config(system_name, is_preset=system is None, **fields)
    opened = open_training_data(config, sources=sources.by_name)
    if epochs is not None:
        fields = {"eval_every": opened.epoch_steps, **fields, "steps": epochs * opened.epoch_steps}
        config = resolve_config(system_name, is_preset=system is None, **fields)
    if show_progress:
        print_start(_describe_start(system_name, system))
    with nullcontext(out) if out is not None else TemporaryDirectory(prefix="risbook-") as folder:
        try:
            trained = train_system(
                config,
                Path(folder),
                resume=resume,
                show_progress=show_progress,
                on_row=print_row if show_progress else None,
                system=system,
                data=opened,
                device=device,
                loss=loss,
                optimizer=optimizer,
            )
        except StoppedError as stop:
            if out is None:
                stop.hint = "a run without a folder cannot be continued: name a folder with out="
            raise
    if show_progress:
        print_end(trained.history, None if out is None else Path(out))
    if not isinstance(trained, NetworkSystem):
        return trained
    trained.network.history = trained.history  # type: ignore[assignment]
    return trained.network


def _common_size(sizes: set[int]) -> int:
    """The side of the images of all training data, pixels.

    Raises:
        ArgumentError: if there are several.
    """
    if len(sizes) > 1:
        raise ArgumentError(
            f"the datasets have images of {' and '.join(map(str, sorted(sizes)))} pixels, and a "
            "network of your own gets one size; load them all with one image_size="
        )
    return next(iter(sizes))


def _describe_start(name: str, system: System | None) -> str:
    """What a run starts from, where people expect something else; "" otherwise."""
    if system is None and name in list_shipped():
        return (
            f"a new {name}, whose adapters and mask head start from random weights; "
            f"risbook.train(risbook.load({name!r}), ...) goes on from the trained ones"
        )
    if isinstance(system, NetworkSystem) and system.image_size == DEFAULT_IMAGE_SIZE:
        return (
            f"{system.config.network} gets images of {system.image_size} x {system.image_size}; "
            "data.load(..., image_size=96) makes them smaller and training faster"
        )
    return ""


def _move_overrides(fields: Mapping[str, Any], name: str, system: System | None) -> dict[str, Any]:
    """Fields of a run, those of the system's configuration among them moved to "overrides".

    Args:
        fields: what was given as keywords.
        name: that of the system.
        system: where it exists already, so that its configuration is fixed.

    Raises:
        RisbookError: for a field that neither configuration has, or that comes too late.
    """
    training_fields = [field.name for field in dataclasses.fields(TrainingConfig)]
    config = system.config if system else get_system_preset(name).config
    system_fields = [field.name for field in dataclasses.fields(config)]
    unknown = {key: value for key, value in fields.items() if key not in training_fields}
    if not unknown:
        return dict(fields)
    for key in unknown:
        if key.partition(".")[0] not in system_fields:
            close = close_name(key, [*training_fields, *system_fields])
            raise ArgumentError(
                f"risbook.train has no field {key!r};{f' did you mean {close}?' if close else ''} "
                f"fields of a run are {', '.join(training_fields)}; fields of the configuration of "
                f"{name} are {', '.join(system_fields)}"
            )
    if system is not None:
        raise ArgumentError(
            f"{', '.join(unknown)} cannot be changed, because the model is built already; give it "
            f"to the call that builds the model: risbook.load({name!r}, pretrained=False, ...)"
        )
    overrides = {**fields.get("overrides", {}), **unknown}
    system_config(name, overrides)  # a value that is no field's is reported before data are opened
    run_fields = {key: value for key, value in fields.items() if key in training_fields}
    return {**run_fields, "overrides": overrides}
