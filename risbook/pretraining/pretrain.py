"""The loop of pretraining: draws, steps, logs, and can be killed and resumed.

What a step draws follows from (seed, step) alone, so a resumed run sees what the killed one would
have seen.
"""

import math
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from risbook.errors import DataError, RisbookError
from risbook.files import write_atomically
from risbook.progress_bar import progress_bar
from risbook.training.precision import choose_precision
from risbook.training.run_log import Log
from risbook.training.schedule import learning_rate
from risbook.training.training_config import Precision


class Objective(Protocol):
    """What is trained: losses of a step, and what follows an optimiser step."""

    def __call__(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Losses of a step; "loss" is the one to descend."""

    def update(self, step: int, steps: int) -> None:
        """Called after every optimiser step."""


@dataclass(frozen=True)
class LoopConfig:
    """How long and how fast.

    Args:
        steps: optimiser steps.
        learning_rate: peak of the schedule (linear warm-up, half a cosine).
        warmup: steps of the warm-up.
        weight_decay: of matrices; vectors and tables have none.
        clip: largest norm of the gradient.
        seed: decides the weights at the start and everything that is drawn.
        precision: arithmetic; "auto" takes bf16 where the machine is fast at it.
        log_every: steps between two lines of the log.
        checkpoint_every: steps between two states that a killed run can go on from.
    """

    steps: int
    learning_rate: float = 1e-3
    warmup: int = 100
    weight_decay: float = 0.05
    clip: float = 1.0
    seed: int = 0
    precision: Precision = "auto"
    log_every: int = 20
    checkpoint_every: int = 200

    def __post_init__(self) -> None:
        for name in ("steps", "log_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise RisbookError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not 0 < self.learning_rate < math.inf:
            raise RisbookError(f"learning_rate is {self.learning_rate}; it must be positive")


def optimiser(module: nn.Module, config: LoopConfig) -> torch.optim.AdamW:
    """AdamW over everything that is not frozen."""
    tuned = [value for value in module.parameters() if value.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [v for v in tuned if v.ndim >= 2 and min(v.shape) > 1]},
        {"params": [v for v in tuned if v.ndim < 2 or min(v.shape) <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups, lr=config.learning_rate, weight_decay=config.weight_decay, betas=(0.9, 0.98)
    )


def pretrain(
    objective: nn.Module,
    config: LoopConfig,
    folder: Path,
    *,
    device: torch.device,
    resume: bool = False,
) -> None:
    """Run an objective to the end of its schedule.

    Args:
        objective: a module that fulfils `Objective`, on the device.
        config: how long and how fast.
        folder: gets ``log.jsonl`` and ``state.pt``.
        device: where to compute.
        resume: go on from the state in the folder, if there is one.

    Raises:
        RisbookError: if the loss is no number any more.
        DataError: if the state in the folder is another run's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state_file = folder / "state.pt"
    optimizer = optimiser(objective, config)
    start = _restore(state_file, objective, optimizer, config) if resume else 0
    log = Log(folder / "log.jsonl", resumed_at=start)
    precision = choose_precision(config.precision, device)
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
    objective.train()
    sums: dict[str, list[float]] = defaultdict(list)
    began = time.monotonic()
    tuned = [value for value in objective.parameters() if value.requires_grad]
    bar = progress_bar(total=config.steps, initial=start, desc="pretraining", unit="step")
    for step in range(start, config.steps):
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
        rate = learning_rate(
            step, peak=config.learning_rate, steps=config.steps, warmup=config.warmup
        )
        for group in optimizer.param_groups:
            group["lr"] = rate
        kind = torch.float16 if precision == "fp16" else torch.bfloat16
        with torch.autocast(device.type, kind, enabled=precision != "no"):
            losses = objective(step, generator)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(losses["loss"]).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(tuned, config.clip)
        scaler.step(optimizer)
        scaler.update()
        objective.update(step + 1, config.steps)  # type: ignore[operator]
        for name, value in losses.items():
            sums[name].append(float(value.detach()))
        if not math.isfinite(sums["loss"][-1]):
            raise RisbookError(f"the loss at step {step + 1} is {sums['loss'][-1]}; lower the rate")
        bar.update()
        if (step + 1) % config.log_every == 0 or step + 1 == config.steps:
            means = {name: round(sum(one) / len(one), 5) for name, one in sums.items()}
            seconds = round(time.monotonic() - began, 2)
            log.write(kind="step", step=step + 1, **means, lr=rate, seconds=seconds)
            sums.clear()
        if (step + 1) % config.checkpoint_every == 0 and step + 1 < config.steps:
            _save(state_file, step + 1, objective, optimizer, config)
    bar.close()
    log.close()
    _save(state_file, config.steps, objective, optimizer, config)


def _save(
    path: Path,
    step: int,
    objective: nn.Module,
    optimizer: torch.optim.Optimizer,
    config: LoopConfig,
) -> None:
    with write_atomically(path) as temporary:
        torch.save(
            {
                "step": step,
                "steps": config.steps,
                "seed": config.seed,
                "objective": objective.state_dict(),
                "optimizer": optimizer.state_dict(),
            },
            temporary,
        )


def _restore(
    path: Path, objective: nn.Module, optimizer: torch.optim.Optimizer, config: LoopConfig
) -> int:
    if not path.is_file():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    if (state["steps"], state["seed"]) != (config.steps, config.seed):
        raise DataError(
            f"{path}: is the state of a run of {state['steps']} steps with seed {state['seed']}, "
            f"not of {config.steps} with seed {config.seed}; choose another folder"
        )
    objective.load_state_dict(state["objective"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])
