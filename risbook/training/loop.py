"""The loop of every training: systems and the pretraining of towers, on a CPU, a GPU or several.

Hugging Face Accelerate scales fp16 gradients and shares batches among processes. The order of the
samples, their sentences and the learning rates follow from the seed and the step.
"""

import math
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import patch_environment
from torch import Tensor

from risbook.config import Precision
from risbook.errors import RisbookError, StoppedError, TrainingDivergedError, warn_user
from risbook.layers.precision import choose_precision
from risbook.progress_bar import progress_bar
from risbook.training.generators import gather_generators
from risbook.training.micro_batches import split_batch
from risbook.training.objective import Objective
from risbook.training.run_folder import RunFolder
from risbook.training.run_log import RunLog
from risbook.training.run_state_file import Progress, RunStateFile
from risbook.training.stop_signals import StopSignals

#: called after every step with the step's number and its loss
OnStep = Callable[[int, float], None]
#: called with every row that the log gets
OnRow = Callable[[dict[str, Any]], None]
#: a run whose loss has grown by this factor does not recover, even if the loss stays finite
BLOWN_UP = 1e6


class LoopConfig(Protocol):
    """The fields that the loop reads from the configuration of a training or a pretraining."""

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole run."""

    @property
    def log_every(self) -> int:
        """Steps between two rows of the log."""

    @property
    def save_every(self) -> int:
        """Steps between two saved states."""


def build_accelerator(precision: Precision, device: torch.device) -> Accelerator:
    """Accelerate for one run; a process may run several with different settings."""
    # Accelerate keeps its settings for the whole process and refuses to change them.
    is_single_process = int(os.environ.get("WORLD_SIZE", "1")) == 1
    AcceleratorState._reset_state(reset_partial_state=is_single_process)
    # Several processes have a GPU each. One alone computes on the GPU that is named, "cuda:1".
    is_named = is_single_process and device.index is not None
    with patch_environment(**({"ACCELERATE_TORCH_DEVICE": device} if is_named else {})):
        return Accelerator(
            cpu=device.type == "cpu",
            mixed_precision=choose_precision(precision, device),
        )


class TrainingLoop:
    """Trains an objective to its last step; the folder gets the log and the states.

    Args:
        objective: network, losses, batches and learning rates.
        optimizer: over the objective's `optimizer_groups`; each group's rate is its peak.
        folder: locked by the caller.
        config: the length of the run.
        accelerator: from `build_accelerator`.
        max_grad_norm: gradients are scaled down to this norm; None for no limit.
        micro_batch: samples of a batch that are computed at once; None for all. All entries of a
            batch then have one row per sample.
        resume: continue from the state in the folder, if there is a state. On a CPU the result
            equals, bit for bit, that of a run without interruption.
        show_progress: show a progress bar.
        on_step: called after every step.
        on_row: called with every row of the log, in the process that writes it.

    Raises:
        RisbookError: if the state in the folder is damaged or belongs to another run.
    """

    def __init__(
        self,
        objective: Objective,
        optimizer: torch.optim.Optimizer,
        folder: RunFolder,
        config: LoopConfig,
        *,
        accelerator: Accelerator,
        max_grad_norm: float | None = None,
        micro_batch: int | None = None,
        resume: bool = False,
        show_progress: bool = True,
        on_step: OnStep | None = None,
        on_row: OnRow | None = None,
    ) -> None:
        self.objective = objective
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]  # the name that torch's schedulers use
            group.setdefault("lr_scale", 1.0)
        self.network, self.optimizer = accelerator.prepare(objective, optimizer)
        self.config = config
        self.accelerator = accelerator
        self.max_grad_norm = max_grad_norm
        self.micro_batch = micro_batch
        self.on_step = on_step
        self.on_row = on_row
        # Weights that the optimiser leaves alone keep old gradients, which would enter the norm.
        self.clipped_parameters = [
            weight for group in optimizer.param_groups for weight in group["params"]
        ]

        self.state = RunStateFile(folder.state_file, objective, self.optimizer, accelerator.scaler)
        self.progress = self.state.load(accelerator.process_index) if resume else Progress()
        start = self.progress.step
        if start > config.steps:
            raise RisbookError(f"{folder.state_file}: is the state of a longer run")
        self._saved_step = start
        self._start_time = time.monotonic() - self.progress.seconds
        is_main = accelerator.is_main_process
        self.log = RunLog(folder.log_file, resumed_at=start) if is_main else None
        self.bar = progress_bar(
            show=show_progress and is_main, total=config.steps, initial=start, unit="step"
        )

    def run(self) -> None:
        """Train to the last step; once per loop, because the log is closed at the end.

        Raises:
            RisbookError: if the disk is full.
            StoppedError: after SIGINT or SIGTERM; the state of the last step is saved.
            TrainingDivergedError: as soon as a loss is not finite; the last saved state stays.
        """
        signals = StopSignals(raises=self.accelerator.num_processes == 1)
        try:
            with signals:
                try:
                    self._run_steps(signals)
                except StoppedError as stop:
                    with signals.shielded():
                        self.save()
                    raise StoppedError(
                        f"stopped at step {self.progress.step}",
                        stop.signum,
                        hint="continue with resume=True",
                    ) from None
        finally:
            for group in self.optimizer.param_groups:  # the caller may train with it again
                group["lr"] = group.pop("initial_lr")
            self.bar.close()
            if self.log:
                self.log.close()

    def _run_steps(self, signals: StopSignals) -> None:
        progress = self.progress
        # The process may have been killed during the evaluation after its last saved step.
        if progress.step and self.objective.evaluation_is_due(progress.step):
            self.evaluate()
        self.network.train()
        batches = self.objective.batches(progress.step)
        while progress.step < self.config.steps:
            batch = next(batches)
            with signals.deferred():
                loss = self.train_step(batch)
            self.bar.update()
            if self.objective.evaluation_is_due(progress.step):
                self.evaluate()
            if self.on_step is not None:
                self.on_step(progress.step, loss)
            if self.accelerator.num_processes > 1:
                self._stop_together(signals)

    def train_step(self, batch: tuple[Any, ...]) -> float:
        """Update the weights once, with the log and the saved state where they are due.

        Returns:
            The loss before the update, the mean of all processes.
        """
        progress = self.progress
        groups = self.optimizer.param_groups
        for group in groups:
            group["lr"] = self.objective.learning_rate(
                progress.step, peak=group["initial_lr"], lr_scale=group["lr_scale"]
            )
        lr = groups[0]["lr"]  # of the default group
        self.optimizer.zero_grad(set_to_none=True)
        values = self._mean_losses(self._add_gradients(batch))
        self._check_loss(values["loss"], lr)
        if self.max_grad_norm is not None:
            self.accelerator.clip_grad_norm_(self.clipped_parameters, self.max_grad_norm)
        self.optimizer.step()
        self.objective.update(progress.step + 1, self.config.steps)

        progress.step += 1
        progress.seconds = time.monotonic() - self._start_time
        progress.add(values)
        if self._is_due(self.config.log_every):
            self.log_row(lr)
        if self._is_due(self.config.save_every):
            self.save()
        return values["loss"]

    def _add_gradients(self, batch: tuple[Any, ...]) -> dict[str, Tensor]:
        """Compute the gradients of a batch, in parts if it is too large for the memory.

        Returns:
            The losses of the batch in this process, without gradients.
        """
        parts = split_batch(batch, self.micro_batch)
        mean_losses: dict[str, Tensor] = {}
        for number, (part, share) in enumerate(parts, start=1):
            # The processes exchange their gradients once per step, after the last part.
            is_last = number == len(parts)
            with nullcontext() if is_last else self.accelerator.no_sync(self.network):
                losses = self.network(*part)
                self.accelerator.backward(losses["loss"] * share)
            for name, value in losses.items():
                mean_losses[name] = mean_losses.get(name, 0.0) + value.detach().float() * share
        return mean_losses

    def evaluate(self) -> None:
        """Score the evaluated splits for the log."""
        # The state is saved first: if the process is killed during the evaluation, the resumed
        # run repeats the evaluation only.
        self.save()
        for row in self.objective.evaluate():
            self._write_row(kind="evaluation", step=self.progress.step, **row)
        self.network.train()

    def log_row(self, lr: float) -> None:
        """Write the mean losses since the last row."""
        progress = self.progress
        row = {**self.objective.log_values(progress.step), **progress.take_means(), "lr": lr}
        seconds = round(progress.seconds, 2)
        self._write_row(kind="step", step=progress.step, **row, seconds=seconds)
        self.bar.set_postfix(loss=f"{row['loss']:.3f}")

    def _write_row(self, **row: Any) -> None:
        if self.log:
            self.log.write(**row)
            if self.on_row is not None:
                self.on_row(row)

    def save(self) -> None:
        """Save the state, unless the state of this step is already saved.

        Raises:
            TrainingDivergedError: if a weight is not finite; the last saved state stays.
        """
        step = self.progress.step
        if self._saved_step == step:
            return
        # Each loss checks the update before it. The last update has no later loss.
        if not all(bool(value.isfinite().all()) for value in self.objective.parameters()):
            raise TrainingDivergedError(
                f"the weights are no longer finite after step {step}: train into another folder "
                "with a smaller learning rate"
            )
        generators = gather_generators(self.accelerator)
        if self.accelerator.is_main_process:
            self.state.save(self.progress, generators)
        self._saved_step = step

    def _is_due(self, every: int) -> bool:
        return self.progress.step == self.config.steps or self.progress.step % every == 0

    def _mean_losses(self, losses: dict[str, Tensor]) -> dict[str, float]:
        """Means of all processes, so that every process stops at a loss that is not finite."""
        stacked = torch.stack(list(losses.values()))
        means = self.accelerator.reduce(stacked, reduction="mean").tolist()
        return dict(zip(losses, means, strict=True))

    def _check_loss(self, loss: float, lr: float) -> None:
        """Stop at a loss that is not finite; warn once of a loss that has blown up."""
        progress = self.progress
        if not math.isfinite(loss):
            raise TrainingDivergedError(
                f"the loss is {loss} at step {progress.step + 1} (learning rate {lr:.2g}, "
                f"precision {self.accelerator.mixed_precision}): train into another folder with a "
                "smaller learning rate or with precision 'no'"
            )
        first = progress.first_loss
        if first is not None and not progress.blown_up and loss > BLOWN_UP * abs(first):
            progress.blown_up = True
            warn_user(
                f"the loss is {loss:.3g} at step {progress.step + 1}, and was {first:.3g} at the "
                f"first: the learning rate ({lr:.2g}) is too large; train into another folder "
                "with a smaller learning rate"
            )

    def _stop_together(self, signals: StopSignals) -> None:
        """Stop every process after the same step if a signal reached at least one of them."""
        received = torch.tensor([signals.signum], device=self.accelerator.device)
        if signum := int(self.accelerator.gather(received).max()):
            raise StoppedError("stopped", signum)
