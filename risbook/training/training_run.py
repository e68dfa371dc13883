"""The loop that trains every system of the book, on a CPU, a GPU or several.

Hugging Face Accelerate places tensors, scales fp16 gradients and shares batches among processes;
everything that the result depends on (order, sentences, schedule) is decided here from the seed.
"""

import math
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DataLoaderConfiguration, set_seed
from torch import Tensor, nn
from torch.utils.data import DataLoader

from risbook.data import open_data
from risbook.data.dataset import ReferData
from risbook.data.samples import Batch, EpochBatches, TrainingSamples, collate
from risbook.errors import DataError, RisbookError, TrainingDivergedError
from risbook.evaluation.evaluate import evaluate
from risbook.progress_bar import progress_bar
from risbook.systems import System, build_system, save_system
from risbook.training.precision import choose_precision
from risbook.training.run_log import Log
from risbook.training.run_state import Progress, load_progress, save_progress
from risbook.training.schedule import learning_rate, milestone_rate
from risbook.training.training_config import TrainingConfig

#: called after every step with the step's number and its loss
OnStep = Callable[[int, float], None]


def train_system(
    config: TrainingConfig,
    folder: Path,
    *,
    resume: bool = False,
    show_progress: bool = True,
    on_step: OnStep | None = None,
) -> System:
    """Train a system and leave it in `folder`.

    The folder then holds the checkpoint (`model.safetensors`, `config.json`, `tokenizer.json`),
    the run's configuration (`training.json`), its log (`log.jsonl`) and its last state
    (`progress.pt`).

    Args:
        config: the run.
        folder: made if it is not there; a folder that already holds a run is only resumed.
        resume: go on from the last state; on a CPU the result equals, bit for bit, that of a run
            that was never interrupted.
        show_progress: show a progress bar.
        on_step: called after every step.

    Returns:
        The trained system, in evaluation mode.

    Raises:
        RisbookError: for a folder that holds another run, a run that does not fit its resumption,
            or settings that make no sense.
        TrainingDivergedError: as soon as a loss is not finite; the last whole state stays.
    """
    _check_folder(config, folder, resume=resume)
    accelerator = _accelerator(config)
    sources = {name: _open(config, name) for name in config.data}
    set_seed(config.seed)
    samples, system = _samples_and_system(config, list(sources.values()))
    _check_validations(config, sources)
    epoch_steps = len(samples) // _batch_size(config, samples, accelerator)
    groups, multipliers = _groups(config, system)
    # Only now, so that a run that never began does not occupy its folder; and only when every
    # process has looked into the folder.
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        folder.mkdir(parents=True, exist_ok=True)
        for half_written in folder.glob(".*.tmp"):  # left by a process that was killed
            half_written.unlink()
        config.save(folder / "training.json")
    optimizer = torch.optim.Adam([{"params": group} for group in groups], lr=config.learning_rate)
    if accelerator.device.type == "cpu":
        system.to(memory_format=torch.channels_last)
    step_loss, optimizer = accelerator.prepare(StepLoss(system), optimizer)

    progress = Progress()
    state_file = folder / "progress.pt"
    if resume and state_file.is_file():
        state = load_progress(state_file)
        try:
            system.load_saved(state["model"])
            optimizer.load_state_dict(state["optimizer"])
        except (DataError, KeyError, RuntimeError, ValueError) as error:
            raise RisbookError(
                f"{state_file}: is the state of another system or of other data; "
                "start again in another folder"
            ) from error
        if accelerator.scaler is not None and state["scaler"] is not None:
            accelerator.scaler.load_state_dict(state["scaler"])
        progress = state["progress"]
    main = accelerator.is_main_process
    log = Log(folder / "log.jsonl", resumed_at=progress.step) if main else None

    def save() -> None:
        # A loss is computed before its update: without this the last update would go unseen.
        if not all(bool(p.isfinite().all()) for p in system.parameters()):
            raise TrainingDivergedError(
                f"the weights are no longer finite after step {progress.step}: train into another "
                "folder with a smaller --learning-rate"
            )
        if main:
            scaler = accelerator.scaler
            save_progress(
                state_file,
                progress,
                model=system.saved_state(),
                optimizer=optimizer.state_dict(),
                scaler=None if scaler is None else scaler.state_dict(),
            )

    bar = progress_bar(
        show=show_progress and main, total=config.steps, initial=progress.step, unit="step"
    )
    if samples.dropped and main:
        warnings.warn(
            f"{samples.dropped} objects are not trained on: another of the sets holds their "
            "picture out",
            stacklevel=2,
        )
    if progress.step and _validation_is_due(config, progress.step):
        # The state is saved first: a run that was killed while it validated does that again.
        _validate(config, system, sources, accelerator, log, progress.step)
    started = time.monotonic() - progress.seconds
    step_loss.train()
    for batch in _batches(config, samples, accelerator, start=progress.step):
        rates = [_rate(config, progress.step, epoch_steps, one) for one in multipliers]
        lr = rates[0]
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        image = batch.image.to(accelerator.device)
        if accelerator.device.type == "cpu":
            image = image.contiguous(memory_format=torch.channels_last)
        tokens = system.tokenizer(batch.texts).to(accelerator.device)
        loss = step_loss(image, tokens, batch.mask.to(accelerator.device))
        # Of all processes, so that a loss that is not finite stops every one of them.
        value = float(accelerator.reduce(loss.detach(), reduction="mean"))
        if not math.isfinite(value):
            raise TrainingDivergedError(
                f"the loss is {value} at step {progress.step + 1} (learning rate {lr:.2g}, "
                f"precision {accelerator.mixed_precision}): train into another folder with a "
                "smaller --learning-rate or with --precision no"
            )
        optimizer.zero_grad(set_to_none=True)
        accelerator.backward(loss)
        optimizer.step()

        progress.step += 1
        progress.loss_sum += value
        progress.loss_count += 1
        progress.seconds = time.monotonic() - started
        bar.update()
        if log and (progress.step % config.log_every == 0 or progress.step == config.steps):
            mean = progress.loss_sum / progress.loss_count
            log.write(
                kind="step",
                step=progress.step,
                epoch=(progress.step * min(config.batch_size, len(samples))) / len(samples),
                loss=mean,
                lr=lr,
                seconds=round(progress.seconds, 2),
            )
            bar.set_postfix(loss=f"{mean:.3f}")
        if progress.step % config.log_every == 0:
            progress.loss_sum, progress.loss_count = 0.0, 0
        if progress.step % config.checkpoint_every == 0 or progress.step == config.steps:
            save()
        if _validation_is_due(config, progress.step):
            _validate(config, system, sources, accelerator, log, progress.step)
            step_loss.train()
        if on_step is not None:
            on_step(progress.step, value)
    bar.close()
    if log:
        log.close()
    if main:
        save_system(system, folder)
    accelerator.wait_for_everyone()
    return system.eval()


class StepLoss(nn.Module):
    """What Accelerate wraps: a system together with its loss.

    Mixed precision then surrounds training steps only. The system itself stays unwrapped, and so
    is evaluated in float32, as the released codes do.
    """

    def __init__(self, system: System) -> None:
        super().__init__()
        self.system = system

    def forward(self, image: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """The loss of a batch: images (B, 3, S, S), ids (B, L), masks (B, 1, S, S)."""
        return self.system.loss(self.system(image, tokens), mask)


def _check_folder(config: TrainingConfig, folder: Path, *, resume: bool) -> None:
    """Refuse to mix two runs in one folder."""
    path = folder / "training.json"
    if resume:
        if different := config.difference(TrainingConfig.load(path)):
            raise RisbookError(
                f"{path}: that run had another {', '.join(different)}; "
                "resume with its own settings or train into another folder"
            )
        return
    if path.exists():
        raise RisbookError(f"{folder} already holds a run; add --resume or name another folder")


def _accelerator(config: TrainingConfig) -> Accelerator:
    """Accelerate for this run; one process may train several times with different precisions."""
    # Accelerate keeps its settings for the whole process and refuses to change them.
    AcceleratorState._reset_state()
    # CUDA or CPU: recurrent networks on packed rows are not known to work on other devices.
    on_cpu = not torch.cuda.is_available()
    device = torch.device("cpu" if on_cpu else "cuda")
    return Accelerator(
        cpu=on_cpu,
        mixed_precision=choose_precision(config.precision, device),
        dataloader_config=DataLoaderConfiguration(split_batches=True),
    )


def _check_validations(config: TrainingConfig, sources: dict[str, ReferData]) -> None:
    """Open the sets that are evaluated while training, and find a mistake before the first step."""
    for place in config.eval_splits:
        name, colon, split = place.rpartition(":")
        if not colon or not name:
            raise RisbookError(f"eval_splits {place!r}: write it as SET:SPLIT, as refscenes:val")
        if name not in sources:
            sources[name] = _open(config, name)
        sources[name].expressions.split(split)


def _batch_size(config: TrainingConfig, samples: TrainingSamples, accelerator: Accelerator) -> int:
    """Samples a step: never more than there are, and the same number for every process."""
    batch = min(config.batch_size, len(samples))
    if batch % accelerator.num_processes:
        raise RisbookError(
            f"a batch of {batch} cannot be shared by {accelerator.num_processes} processes"
        )
    return batch


def _groups(config: TrainingConfig, system: System) -> tuple[list[list[nn.Parameter]], list[float]]:
    """Parameters that share a rate, and by what theirs is multiplied: first all that are not named.

    One group where nothing has a rate of its own, so that runs from before there was a choice can
    go on.
    """
    groups: list[list[nn.Parameter]] = [[]]
    multipliers = [1.0]
    remaining = {name: p for name, p in system.named_parameters() if p.requires_grad}
    for group, multiplier in config.lr_multipliers.items():
        if multiplier == 1:
            continue
        members = [name for name in remaining if name.startswith(f"{group}.")]
        if not members:
            raise RisbookError(
                f"lr_multipliers.{group} is {multiplier}, but this {system.name} has no {group}; "
                "leave it out"
            )
        groups.append([remaining.pop(name) for name in members])
        multipliers.append(multiplier)
    groups[0] = list(remaining.values())
    return groups, multipliers


def _rate(config: TrainingConfig, step: int, epoch_steps: int, multiplier: float) -> float:
    """A group's rate at a step; it follows from the step alone, also in a run that goes on."""
    peak, steps = config.learning_rate, config.steps
    if config.schedule == "milestones":
        return milestone_rate(
            step, peak=peak, steps=steps, epoch_steps=epoch_steps, multiplier=multiplier
        )
    return learning_rate(step, peak=multiplier * peak, steps=steps, warmup=config.warmup)


def _open(config: TrainingConfig, name: str) -> ReferData:
    return open_data(name, partition=config.partition or None, images=config.images or None)


def _samples_and_system(
    config: TrainingConfig, sources: list[ReferData]
) -> tuple[TrainingSamples, System]:
    """The system's vocabulary may come from the samples, and their size from the system."""
    samples = TrainingSamples(
        sources=sources,
        splits=config.splits,
        image_size=1,
        seed=config.seed,
        text=config.text,
        cache_images=config.cache_images,
    )
    if not samples.objects:
        raise RisbookError(f"there is nothing to train on in {', '.join(config.data)}")
    system = build_system(config.system, sentences=samples.sentences(), changes=config.overrides)
    samples.image_size = system.image_size
    return samples, system


def _batches(
    config: TrainingConfig, samples: TrainingSamples, accelerator: Accelerator, *, start: int
) -> Iterator[Batch]:
    """All batches of the run from step `start` on, epoch after epoch."""
    batch = _batch_size(config, samples, accelerator)
    per_epoch = len(samples) // batch
    step = start
    while step < config.steps:
        epoch, done = divmod(step, per_epoch)
        samples.epoch = epoch
        order = EpochBatches(
            count=len(samples), batch_size=batch, seed=config.seed, epoch=epoch, start=done
        )
        loader: DataLoader[Any] = DataLoader(
            samples,
            batch_sampler=order,
            collate_fn=collate,
            num_workers=config.num_workers,
            # Without one of its own, each new loader draws from the generator that dropout uses,
            # and a resumed run, which makes one loader more, would go another way.
            generator=torch.Generator().manual_seed(config.seed),
        )
        prepared = accelerator.prepare_data_loader(loader, device_placement=False)
        for loaded in prepared:
            yield loaded
            step += 1
            if step == config.steps:
                return
        accelerator._dataloaders.remove(prepared)  # it would keep every epoch's loader


def _validation_is_due(config: TrainingConfig, step: int) -> bool:
    last = step == config.steps
    return bool(config.eval_splits) and (last or step % config.eval_every == 0)


def _validate(
    config: TrainingConfig,
    system: System,
    sources: dict[str, ReferData],
    accelerator: Accelerator,
    log: Log | None,
    step: int,
) -> None:
    """Evaluate on the splits that the configuration names, and log it."""
    for place in config.eval_splits:
        name, _, split = place.rpartition(":")
        source = sources[name]
        summary = evaluate(
            system,
            source,
            split,
            limit=config.eval_limit,
            text=config.text,
            accelerator=accelerator,
            show_progress=False,
        ).summary()
        if log:
            log.write(
                kind="validation",
                step=step,
                set=name,
                split=split,
                mIoU=summary.miou,
                oIoU=summary.oiou,
                count=summary.count,
            )
