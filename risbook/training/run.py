"""A run: from a `TrainingConfig` to a checkpoint in a folder."""

import datetime
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import set_seed
from torch.nn.parameter import is_lazy

from risbook.config import from_values, to_values, with_overrides
from risbook.errors import ArgumentError, warn_user
from risbook.evaluation.result_files import describe_device
from risbook.layers.sync_batch_norm import synchronised_batch_norm
from risbook.systems import System, build_system, save_system
from risbook.systems.checkpoints import check_saveable
from risbook.systems.losses import LOSSES, Loss
from risbook.systems.system_presets import SHIPPED_SYSTEMS, get_system_preset, system_config
from risbook.towers.frozen_prefix import (
    cache_frozen_prefix,
    count_frozen_blocks,
    image_transformers,
)
from risbook.towers.transformer_tower import set_grad_checkpointing
from risbook.training.generators import seed_process
from risbook.training.loop import OnRow, OnStep, TrainingLoop, build_accelerator
from risbook.training.mask_objective import MaskObjective
from risbook.training.optimizers import OptimizerFactory, build_optimizer
from risbook.training.run_folder import RunFolder
from risbook.training.run_log import read_log
from risbook.training.training_config import FREE_ON_RESUME, TrainingConfig
from risbook.training.training_data import TrainingData, open_training_data


def resolve_config(system: str, *, is_preset: bool = True, **fields: Any) -> TrainingConfig:
    """Complete the configuration of a run from some of its fields.

    Other fields have the defaults of `TrainingConfig`; without "data" they are those of the run
    that made the checkpoint in the package. Where steps is given, warmup is at most a tenth of it,
    and log_every a twentieth.

    Args:
        system: its name.
        is_preset: whether that is the name of a preset; otherwise the system is at hand already.
        fields: fields of `TrainingConfig`.

    Raises:
        RisbookError: for a wrong field, or without "data" for a system that has no checkpoint in
            the package.
    """
    if is_preset:
        get_system_preset(system)  # an unknown name is reported before any other mistake
    if isinstance(steps := fields.get("steps"), int):
        # A short run would otherwise end before its learning rate has risen, and with two or three
        # rows in its log.
        fields.setdefault("warmup", min(TrainingConfig.warmup, steps // 10))
        fields.setdefault("log_every", min(TrainingConfig.log_every, max(1, steps // 20)))
    if "data" in fields:
        return from_values(TrainingConfig, {"system": system, **fields})
    recorded = SHIPPED_SYSTEMS / system / "training.json"
    if not recorded.is_file():
        raise ArgumentError(
            f"data is missing: name what to train on, for instance 'refscenes', because {system} "
            "has no recorded run"
        )
    config = TrainingConfig.load(recorded)
    overrides = {**config.overrides, **fields.pop("overrides", {})}
    return with_overrides(config, {**fields, "overrides": overrides})


def train_system(
    config: TrainingConfig,
    folder: Path,
    *,
    resume: bool = False,
    show_progress: bool = True,
    on_step: OnStep | None = None,
    on_row: OnRow | None = None,
    system: System | None = None,
    data: TrainingData | None = None,
    device: str | torch.device | None = None,
    loss: Loss | None = None,
    optimizer: OptimizerFactory | torch.optim.Optimizer | None = None,
) -> System:
    """Train a system and leave it in `folder`.

    The folder then holds the checkpoint (`model.safetensors`, `config.json`, `tokenizer.json`),
    the run's configuration (`training.json`), its log (`log.jsonl`) and its last state
    (`progress.pt`).

    Args:
        config: what is trained, on what and how.
        folder: created if it does not exist; a run in the folder can only be resumed.
        resume: continue from the last state; on a CPU the result equals, bit for bit, that of a
            run without interruption.
        show_progress: show a progress bar.
        on_step: called after every step.
        on_row: called with every row of the log, in the process that writes it.
        system: a system to train further, in place of a new one of the configuration.
        data: that of the configuration, where it is open already.
        device: "cpu", "cuda" or "cuda:1"; None for a GPU if there is one.
        loss: a function in place of the loss of the configuration, see `Loss`. The configuration
            does not hold it, so a run that is resumed with another function is not refused.
        optimizer: in place of the optimiser of the configuration, a function that makes one of
            groups of parameters and ``lr``, which the configuration does not hold either. Or an
            optimiser, of whose groups each keeps its own rate as the peak of the schedule.

    Returns:
        The trained system, in evaluation mode.

    Raises:
        RisbookError: for a folder that holds another run or a checkpoint, or in which another
            process trains, for a run that does not fit its resumption, and for a full disk.
        StoppedError: after SIGINT or SIGTERM; the state of the last step is saved.
        TrainingDivergedError: as soon as a loss is not finite; the last whole state stays.
    """
    run = RunFolder(folder)

    def differences(path: Path) -> list[str]:
        names = config.difference(TrainingConfig.load(path))
        return [name for name in names if name not in FREE_ON_RESUME]

    run.check(differences, resume=resume)
    # CUDA or CPU: recurrent networks on packed rows are untested on other devices.
    default = "cuda" if torch.cuda.is_available() else "cpu"
    accelerator = build_accelerator(config.precision, torch.device(device or default))
    is_main = accelerator.is_main_process
    try:
        if is_main:
            run.check_idle()
        if config.loss and loss is None:
            loss = LOSSES.lookup(config.loss)
        if system is None:
            system_config(config.system, config.overrides)  # mistakes are told before data are read
        set_seed(config.seed)
        data = data or open_training_data(config)
        if system is None:
            sentences = data.samples.sentences()  # of which some systems make their vocabulary
            system = build_system(config.system, sentences=sentences, overrides=config.overrides)
        check_saveable(system)
        objective = MaskObjective(system, data, config, accelerator=accelerator, loss=loss)
        optimizer = build_optimizer(config, objective.optimizer_groups(), optimizer)
        # The folder is locked after the preparations, so that a run that fails in them leaves no
        # folder, and after every process has checked the folder.
        accelerator.wait_for_everyone()
        if is_main:
            run.begin(to_values(config), differences, resume=resume)
            if dropped := data.samples.dropped:
                warn_user(
                    f"{dropped:,} objects in {data.samples.dropped_images:,} images are not "
                    "trained on: another of the sets holds these images out"
                )
        set_grad_checkpointing(system, config.grad_checkpointing)
        if config.compile_backend:
            objective.compile(backend=config.compile_backend)
        seed_process(config.seed, accelerator.process_index)
        with (
            channels_last_on_cpu(system, accelerator.device),
            _prefix_cache(system, config),
            synchronised_batch_norm(system, active=config.sync_batch_norm),
        ):
            TrainingLoop(
                objective,
                optimizer,
                run,
                config,
                accelerator=accelerator,
                max_grad_norm=config.max_grad_norm or None,
                micro_batch=config.micro_batch or None,
                resume=resume,
                show_progress=show_progress,
                on_step=on_step,
                on_row=on_row,
            ).run()
        _note_training(system, config, accelerator.device)
        if is_main:
            save_system(system, folder)
            system.history = read_log(run.log_file)
        accelerator.wait_for_everyone()
    finally:
        run.unlock()
    return system.eval()


def _note_training(system: System, config: TrainingConfig, device: torch.device) -> None:
    """Note the run in what is known of the weights; results of other weights are forgotten."""
    names = ("data", "splits", "num_images", "steps", "batch_size", "learning_rate", "seed")
    run = {name: value for name, value in to_values(config).items() if name in names}
    run |= {"device": describe_device(device), "date": datetime.date.today().isoformat()}
    system.about["training"] = [*system.about.get("training", []), run]
    system.about.pop("results", None)


def _prefix_cache(system: System, config: TrainingConfig) -> AbstractContextManager[object]:
    """The cache of frozen blocks, where the configuration wants it."""
    if not config.cache_frozen:
        return nullcontext()
    towers = image_transformers(system)
    if not any(count_frozen_blocks(tower) for tower in towers):
        warn_user(
            "cache_frozen: there is nothing to keep, because no image tower begins with frozen "
            "blocks without adapters; tuned position embeddings (train_pos_embed) come before all "
            "blocks"
        )
    return cache_frozen_prefix(system)


@contextmanager
def channels_last_on_cpu(system: System, device: torch.device) -> Iterator[None]:
    """Train in the layout in which convolutions are faster on a CPU.

    They then add up in another order, so their results differ in the last bits. The system returns
    to the layout that a loaded checkpoint has, so that both predict the same.
    """
    if device.type == "cpu":
        _set_layout(system, torch.channels_last)
    try:
        yield
    finally:
        _set_layout(system, torch.contiguous_format)


def _set_layout(system: System, memory_format: torch.memory_format) -> None:
    """Change the layout, unless lazy layers wait for their first batch and have no shape yet."""
    if not any(is_lazy(parameter) for parameter in system.parameters()):
        system.to(memory_format=memory_format)
