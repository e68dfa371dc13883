"""The state of a run between two steps, so that a killed run can continue.

One file holds everything that the next step depends on: weights, optimiser, gradient scaler,
generators and counters. It is written under another name and then renamed: a process that is killed
while it writes leaves the last complete state. It is read with `weights_only=True`, so that a file
cannot run code.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from risbook.errors import RisbookError
from risbook.files import write_torch
from risbook.training.generators import Generators, set_generators
from risbook.training.objective import Objective


@dataclass
class Progress:
    """The counters of a run.

    Args:
        step: optimiser steps taken.
        loss_sums: sum of each loss since the last row of the log.
        loss_counts: number of steps in each sum.
        seconds: seconds of training so far, those before an interruption included.
        first_loss: loss of the first step, None before that step.
        blown_up: whether the run has warned of a loss that is too large.
    """

    step: int = 0
    loss_sums: dict[str, float] = field(default_factory=dict)
    loss_counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    first_loss: float | None = None
    blown_up: bool = False

    @classmethod
    def from_saved(cls, values: dict[str, Any]) -> "Progress":
        """The counters of a file."""
        progress = cls(**values)
        numbers = [progress.step, *progress.loss_counts.values()]
        if any(type(number) is not int or number < 0 for number in numbers):
            raise ValueError(f"counters {numbers}")
        if not math.isfinite(sum([progress.seconds, *progress.loss_sums.values()])):
            raise ValueError("sums that are not finite")
        if progress.loss_sums.keys() != progress.loss_counts.keys():
            raise ValueError("sums and counts of different losses")
        return progress

    def add(self, losses: dict[str, float]) -> None:
        """Count one step's losses."""
        if self.first_loss is None:
            self.first_loss = losses["loss"]
        for name, value in losses.items():
            self.loss_sums[name] = self.loss_sums.get(name, 0.0) + value
            self.loss_counts[name] = self.loss_counts.get(name, 0) + 1

    def take_means(self) -> dict[str, float]:
        """Mean of each loss since the last call."""
        means = {name: value / self.loss_counts[name] for name, value in self.loss_sums.items()}
        self.loss_sums, self.loss_counts = {}, {}
        return means


@dataclass(frozen=True)
class RunStateFile:
    """The file that holds the state of a run: weights, optimiser, generators and counters."""

    path: Path
    objective: Objective
    optimizer: torch.optim.Optimizer
    #: scales the gradients of fp16; None in other precisions
    scaler: torch.amp.GradScaler | None

    def save(self, progress: Progress, generators: list[Generators]) -> None:
        """Write the state.

        Args:
            progress: the counters.
            generators: those of every process.

        Raises:
            RisbookError: if the disk is full; the last state stays.
        """
        state = {
            "progress": vars(progress),
            "model": self.objective.saved_state(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": None if self.scaler is None else self.scaler.state_dict(),
            "generators": generators,
        }
        write_torch(self.path, state)

    def load(self, process: int = 0) -> Progress:
        """Restore the state; a run that was killed before its first state starts from step 0.

        Args:
            process: number of this process.

        Raises:
            RisbookError: if the file cannot be read, or is the state of another run.
        """
        if not self.path.is_file():
            return Progress()
        try:
            state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
            progress = Progress.from_saved(state["progress"])
            model, optimizer, scaler = state["model"], state["optimizer"], state["scaler"]
            # States of before have the generator of one process alone.
            generators = state.get("generators") or [{"cpu": state["cpu_generator"], "cuda": None}]
            set_generators(generators, process)
        # A damaged file can raise any exception. Torch's own message would advise to read the file
        # with weights_only=False, which can run code.
        except Exception as error:
            raise RisbookError(
                f"{self.path}: the state of the run cannot be read; delete the file, and the "
                "resumed run begins at its first step"
            ) from error
        try:
            self.objective.load_saved_state(model)
            self._load_optimizer(optimizer)
            if self.scaler is not None and scaler is not None:
                self.scaler.load_state_dict(scaler)
        except Exception as error:
            raise RisbookError(
                f"{self.path}: is the state of another system or of other data; "
                "start again in another folder"
            ) from error
        return progress

    def _load_optimizer(self, state: dict[str, Any]) -> None:
        """Load and compare shapes; torch compares them only inside the next step.

        The peaks and the multipliers of learning rates are those of the resumed run: states of
        earlier versions do not hold them.
        """
        groups = [
            {**saved, "initial_lr": group["initial_lr"], "lr_scale": group["lr_scale"]}
            for saved, group in zip(state["param_groups"], self.optimizer.param_groups, strict=True)
        ]
        self.optimizer.load_state_dict({**state, "param_groups": groups})
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:
                for name, value in self.optimizer.state.get(parameter, {}).items():
                    if torch.is_tensor(value) and value.ndim and value.shape != parameter.shape:
                        raise ValueError(f"{name} of shape {tuple(value.shape)}")
