"""The loop of every training: systems and the pretraining of towers, on a CPU, a GPU or several.

Hugging Face Accelerate scales fp16 gradients and shares batches among processes; everything that
the result depends on (order, sentences, schedule) follows from the seed and the step.
"""

import math
import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DataLoaderConfiguration

from risbook.errors import RisbookError, StoppedError, TrainingDivergedError
from risbook.progress_bar import progress_bar
from risbook.training.objective import Objective
from risbook.training.precision import choose_precision
from risbook.training.run_folder import RunFolder
from risbook.training.run_log import Log
from risbook.training.run_state import Progress, RunState
from risbook.training.stop_signals import StopSignals
from risbook.training.training_config import Precision

#: called after every step with the step's number and its loss
OnStep = Callable[[int, float], None]
#: a loss that has grown by this factor will not come back, though it may stay finite
BLOWN_UP = 1e6


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """How long a loop runs, and what it leaves on the way.

    Args:
        steps: optimiser steps.
        log_every: steps between two rows of the log.
        checkpoint_every: steps between two saved states.
        max_grad_norm: gradients are scaled down to this norm, None for no limit.
    """

    steps: int
    log_every: int
    checkpoint_every: int
    max_grad_norm: float | None = None


def build_accelerator(precision: Precision, device: torch.device) -> Accelerator:
    """Accelerate for one run; a process may run several with different settings.

    Args:
        precision: arithmetic of the losses.
        device: of this process.
    """
    # Accelerate keeps its settings for the whole process and refuses to change them.
    alone = int(os.environ.get("WORLD_SIZE", "1")) == 1
    AcceleratorState._reset_state(reset_partial_state=alone)
    return Accelerator(
        cpu=device.type == "cpu",
        mixed_precision=choose_precision(precision, device),
        dataloader_config=DataLoaderConfiguration(split_batches=True),
    )


def run_loop(
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    folder: RunFolder,
    settings: LoopSettings,
    *,
    accelerator: Accelerator,
    batches: Callable[[int], Iterator[tuple[Any, ...]]],
    rates: Callable[[int], Sequence[float]],
    resume: bool = False,
    show_progress: bool = True,
    on_step: OnStep | None = None,
) -> None:
    """Run an objective to its last step, and leave the log and the last state in the folder.

    Args:
        objective: what is trained.
        optimizer: over its parameters.
        folder: locked by the caller.
        settings: how long.
        accelerator: of `build_accelerator`.
        batches: the arguments of the objective's `forward`, step by step and without end, from a
            number of steps on. They follow from the seed and the step alone, so that a resumed
            run goes on exactly where it was.
        rates: learning rate of each of the optimiser's groups, by step (0 for the first).
        resume: go on from the state in the folder, if there is one; on a CPU the result equals,
            bit for bit, that of a run that was never interrupted.
        show_progress: show a progress bar.
        on_step: called after every step.

    Raises:
        RisbookError: for a state of another run, or a full disk.
        StoppedError: after SIGINT or SIGTERM; the state of the last step is saved.
        TrainingDivergedError: as soon as a loss is not finite; the last whole state stays.
    """
    network, optimizer = accelerator.prepare(objective, optimizer)
    state = RunState(folder.state_file, objective, optimizer, accelerator.scaler)
    progress = state.load() if resume else Progress()
    if progress.step > settings.steps:
        raise RisbookError(f"{folder.state_file}: is the state of a longer run")
    is_main = accelerator.is_main_process
    log = Log(folder.log_file, resumed_at=progress.step) if is_main else None
    learned = [value for value in objective.parameters() if value.requires_grad]
    saved_step = progress.step

    def save() -> None:
        nonlocal saved_step
        if saved_step == progress.step:
            return
        # A loss is computed before its update: without this the last update would go unchecked.
        if not all(bool(value.isfinite().all()) for value in objective.parameters()):
            raise TrainingDivergedError(
                f"the weights are no longer finite after step {progress.step}: train into another "
                "folder with a smaller --learning-rate"
            )
        if is_main:
            state.save(progress)
        saved_step = progress.step

    def evaluate() -> None:
        # The state is saved first: a run that ends while it evaluates does that again.
        save()
        for row in objective.evaluate():
            if log:
                log.write(kind="validation", step=progress.step, **row)
        network.train()

    def train_step(batch: tuple[Any, ...]) -> float:
        lrs = rates(progress.step)
        for group, lr in zip(optimizer.param_groups, lrs, strict=True):
            group["lr"] = lr
        losses = network(*batch)
        # Means of all processes, so that a loss that is not finite stops every one of them.
        stacked = torch.stack([value.detach().float() for value in losses.values()])
        means = accelerator.reduce(stacked, reduction="mean").tolist()
        values: dict[str, float] = dict(zip(losses, means, strict=True))
        _check_loss(values["loss"], progress, lrs[0], accelerator.mixed_precision)
        optimizer.zero_grad(set_to_none=True)
        accelerator.backward(losses["loss"])
        if settings.max_grad_norm is not None:
            accelerator.clip_grad_norm_(learned, settings.max_grad_norm)
        optimizer.step()
        objective.update(progress.step + 1, settings.steps)

        progress.step += 1
        progress.seconds = time.monotonic() - started
        progress.add(values)
        last = progress.step == settings.steps
        if last or progress.step % settings.log_every == 0:
            row = {**objective.log_values(progress.step), **progress.take_means(), "lr": lrs[0]}
            if log:
                seconds = round(progress.seconds, 2)
                log.write(kind="step", step=progress.step, **row, seconds=seconds)
            bar.set_postfix(loss=f"{row['loss']:.3f}")
        if last or progress.step % settings.checkpoint_every == 0:
            save()
        return values["loss"]

    bar = progress_bar(
        show=show_progress and is_main, total=settings.steps, initial=progress.step, unit="step"
    )
    started = time.monotonic() - progress.seconds
    signals = StopSignals(between_steps=accelerator.num_processes == 1)
    try:
        with signals:
            try:
                if progress.step and objective.evaluation_is_due(progress.step):
                    evaluate()
                network.train()
                remaining = batches(progress.step)
                while progress.step < settings.steps:
                    batch = next(remaining)
                    with signals.deferred():
                        loss = train_step(batch)
                    bar.update()
                    if objective.evaluation_is_due(progress.step):
                        evaluate()
                    if on_step is not None:
                        on_step(progress.step, loss)
                    if accelerator.num_processes > 1:
                        _stop_together(signals, accelerator)
            except StoppedError as stop:
                with signals.shielded():
                    save()
                raise StoppedError(
                    f"stopped at step {progress.step}; go on with --resume", stop.signum
                ) from None
    finally:
        bar.close()
        if log:
            log.close()


def _check_loss(loss: float, progress: Progress, lr: float, precision: str) -> None:
    """Stop at a loss that is not finite; warn once of one that has blown up."""
    if not math.isfinite(loss):
        raise TrainingDivergedError(
            f"the loss is {loss} at step {progress.step + 1} (learning rate {lr:.2g}, "
            f"precision {precision}): train into another folder with a smaller --learning-rate "
            "or with --precision no"
        )
    first = progress.first_loss
    if first is not None and not progress.blown_up and loss > BLOWN_UP * abs(first):
        progress.blown_up = True
        warnings.warn(
            f"the loss is {loss:.3g} at step {progress.step + 1}, and was {first:.3g} at the "
            f"first: the learning rate ({lr:.2g}) is too large; train into another folder with a "
            "smaller --learning-rate",
            stacklevel=2,
        )


def _stop_together(signals: StopSignals, accelerator: Accelerator) -> None:
    """Let every process stop after the same step, whichever of them the signal reached."""
    own = torch.tensor([signals.signum], device=accelerator.device)
    if signum := int(accelerator.gather(own).max()):
        raise StoppedError("stopped", signum)
