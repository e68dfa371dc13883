"""The configuration of a training run."""

from dataclasses import field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from risbook.config import (
    Count,
    NonNegativeNumber,
    Options,
    PositiveCount,
    PositiveNumber,
    Precision,
    Seed,
    configuration,
    from_values,
    to_values,
)
from risbook.data.expressions import TextKind
from risbook.data.masks import TargetSampling
from risbook.files import read_json, write_json
from risbook.training.old_runs import OLD_NAMES

Schedule = Literal["cosine", "milestones"]
OptimizerName = Literal["adam", "adamw", "sgd"]
#: of `torch.compile`; "aot_eager" traces both passes and generates no code, "" does not compile
CompileBackend = Literal["", "inductor", "aot_eager"]
#: fields that change neither weights nor scores, so that a run may be resumed with others
FREE_ON_RESUME = (
    "save_every",
    "log_every",
    "cache_images",
    "cache_frozen",
    "num_workers",
    "grad_checkpointing",
)


@configuration
class TrainingConfig:
    """A training run.

    An epoch, here and in the log, visits each referred object once, with one of its sentences drawn
    at random. It counts objects, not sentences. Objects that would not fill its last batch wait for
    the next epoch, which has another order.

    Args:
        system: a preset's name.
        data: names or folders of the sets to train on, as in `risbook.data.open_data`.
        splits: splits to train on.
        num_images: train on the objects of so many images of these splits, 0 for all images. A
            smaller number chooses a part of what a larger number chooses. Sets that share images
            share the subset. What is evaluated does not change.
        subset_seed: decides which images `num_images` chooses. It is not `seed`, so that runs of
            several seeds learn from the same labels.
        partition: "unc", "google" or "umd" where a folder holds several, "" for its default.
        image_folder: folder of the images where they do not lie beside the sets, "" otherwise.
        overrides: fields of the preset's configuration, by dotted name.
        steps: optimiser steps.
        batch_size: samples per step, all processes together; never more than there are objects.
        micro_batch: samples that a process computes at once, 0 for its whole part of the batch.
            With fewer, the gradients of several passes are added up before the step: less memory,
            the same total batch. Batch normalisation sees each pass alone.
        learning_rate: peak of the schedule.
        lr_multipliers: learning rates of groups of parameters, as multiples of the others', for
            instance ``{"bridgers": 10}``. With "milestones" they act from epoch 2 on, as in the
            released code. The optimiser's groups hold them as "lr_scale", which is timm's name.
        schedule: "cosine" warms up and then falls to zero; "milestones" is the released recipe of
            ETRIS: a constant rate, and a tenth of it from about 70 % of the epochs on.
        warmup: steps of the linear warm-up; "milestones" has none.
        optimizer: "adam" as released, "adamw", or "sgd" with momentum 0.9.
        weight_decay: of the optimiser, for all tuned parameters.
        max_grad_norm: gradients are scaled down to this norm, 0 for no limit.
        loss: "cross-entropy", "dice", their sum "cross-entropy-dice", or a name that
            `register_loss` added; "" for the system's own.
        target_sampling: how the loss's target is taken from a mask: "nearest" as released, or
            "corners", which avoids a shift, see `risbook.systems.losses.resize_target`.
        seed: decides the initial weights, the order of the samples, their sentences and dropout.
        precision: "no" is float32; "auto" is bf16 or fp16 where the machine computes them fast.
        text_kind: "sent" for the cleaned sentences, "raw" for those as they were typed.
        eval_splits: splits, as "set:split", that are evaluated while training; the log has a row of
            kind "evaluation" for each.
        eval_every: steps between two evaluations.
        eval_limit: expressions of each split that are evaluated, 0 for all.
        save_every: steps between two saved states, from which a stopped run can go on.
        log_every: steps between two rows of the log.
        sync_batch_norm: several processes normalise a batch by the statistics of all its parts, as
            in the released codes; without it, each by those of its own part.
        compile_backend: compile the forward and the backward pass by `torch.compile`: "inductor"
            generates code, and needs a compiler on a CPU; "" computes without compiling.
        cache_images: keep letterboxed images and masks in memory.
        image_cache: folder of letterboxed images, made by `risbook data cache`, that are read in
            place of the originals; "" for none. What is evaluated is read from the originals.
        cache_frozen: keep in memory what the frozen blocks of the image tower below everything that
            is tuned make of an image, see `risbook.towers.frozen_prefix`; up to 3 GB. Results are
            those without it up to rounding.
        num_workers: loader processes.
        grad_checkpointing: compute the layers of transformer towers again in the backward pass in
            place of keeping what they computed: less memory, more time, the same results.
    """

    system: str
    data: Annotated[tuple[str, ...], Field(min_length=1, examples=[["refscenes"]])]
    splits: Annotated[tuple[str, ...], Field(min_length=1, examples=[["train"]])] = ("train",)
    num_images: Count = 0
    subset_seed: Seed = 0
    partition: str = ""
    image_folder: str = ""
    overrides: Options = field(default_factory=dict)
    steps: PositiveCount = 1000
    batch_size: Annotated[int, Field(ge=1, le=10**6)] = 32
    micro_batch: Count = 0
    learning_rate: PositiveNumber = 1e-3
    lr_multipliers: dict[str, PositiveNumber] = field(default_factory=dict)
    schedule: Schedule = "cosine"
    warmup: Count = 100
    optimizer: OptimizerName = "adam"
    weight_decay: NonNegativeNumber = 0.0
    max_grad_norm: NonNegativeNumber = 0.0
    loss: str = ""
    target_sampling: TargetSampling = "nearest"
    seed: Seed = 0
    precision: Precision = "auto"
    text_kind: TextKind = "sent"
    eval_splits: tuple[str, ...] = ()
    eval_every: PositiveCount = 1000
    eval_limit: Count = 0
    save_every: PositiveCount = 500
    log_every: PositiveCount = 20
    sync_batch_norm: bool = False
    compile_backend: CompileBackend = ""
    cache_images: bool = True
    image_cache: str = ""
    cache_frozen: bool = False
    num_workers: Annotated[int, Field(ge=0, le=1024)] = 0
    grad_checkpointing: bool = False

    def save(self, path: Path) -> None:
        """Write the configuration as JSON."""
        write_json(path, to_values(self))

    @classmethod
    def load(cls, path: Path) -> "TrainingConfig":
        """Read the record back; a field that the file lacks has its default.

        Raises:
            RisbookError: if the file is missing or holds something else.
        """
        return from_values(cls, read_json(path), where=str(path), aliases=OLD_NAMES)

    def difference(self, other: "TrainingConfig") -> list[str]:
        """Names of the fields in which two runs differ."""
        values, other_values = to_values(self), to_values(other)
        return [name for name in values if values[name] != other_values[name]]
