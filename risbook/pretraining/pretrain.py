"""Pretraining as a run of the training loop: AdamW, and batches that follow from (seed, step)."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from risbook.errors import RisbookError
from risbook.files import write_json
from risbook.training.objective import Objective
from risbook.training.run_folder import RunFolder
from risbook.training.schedule import warmup_cosine_lr
from risbook.training.training_config import Precision
from risbook.training.training_loop import TrainingLoop, build_accelerator

SETTINGS_FILE = "pretraining.json"


@dataclass(frozen=True)
class PretrainingConfig:
    """How long and how fast.

    Args:
        steps: optimiser steps.
        learning_rate: peak of the schedule (linear warm-up, half a cosine).
        warmup: steps of the warm-up.
        weight_decay: of matrices; vectors and position tables have none.
        max_grad_norm: largest norm of the gradient.
        seed: of the initial weights and of every batch.
        precision: arithmetic; "auto" is bf16 where the machine computes it fast.
        log_every: steps between two rows of the log.
        checkpoint_every: steps between two states that a killed run can continue from.
    """

    steps: int
    learning_rate: float = 1e-3
    warmup: int = 100
    weight_decay: float = 0.05
    max_grad_norm: float = 1.0
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


def build_optimizer(network: nn.Module, config: PretrainingConfig) -> torch.optim.AdamW:
    """AdamW over the trainable parameters; vectors have no weight decay."""
    trainable = [value for value in network.parameters() if value.requires_grad]
    is_matrix = [value.ndim >= 2 and min(value.shape) > 1 for value in trainable]
    groups: list[dict[str, Any]] = [
        {"params": [v for v, matrix in zip(trainable, is_matrix, strict=True) if matrix]},
        {
            "params": [v for v, matrix in zip(trainable, is_matrix, strict=True) if not matrix],
            "weight_decay": 0.0,
        },
    ]
    return torch.optim.AdamW(
        groups, lr=config.learning_rate, weight_decay=config.weight_decay, betas=(0.9, 0.98)
    )


def seeded_steps(seed: int, start: int) -> Iterator[tuple[int, torch.Generator]]:
    """Each step's number and the generator that its batch is drawn with."""
    step = start
    while True:
        yield step, torch.Generator().manual_seed(seed * 1_000_003 + step)
        step += 1


def pretrain(
    objective: Objective,
    config: PretrainingConfig,
    folder: Path,
    *,
    device: torch.device,
    resume: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Run an objective to the end of its schedule.

    Args:
        objective: its `forward` takes the number of the step and a generator, draws the batch and
            returns the losses.
        config: how long and how fast.
        folder: gets ``pretraining.json``, ``log.jsonl`` and ``progress.pt``.
        device: where to compute.
        resume: continue from the state in the folder.
        settings: all other settings of the run; a run with other settings is not resumed.

    Raises:
        RisbookError: as `risbook.training.training_loop.TrainingLoop`, and for a folder that holds
            another run.
    """
    run = RunFolder(folder, settings_file=SETTINGS_FILE)
    values = json.loads(json.dumps({**(settings or {}), "loop": asdict(config)}))
    _check(values, run, resume=resume)
    accelerator = build_accelerator(config.precision, device)
    if accelerator.num_processes > 1:
        raise RisbookError("pretraining runs in one process; start it without accelerate launch")
    try:
        run.lock()
        _check(values, run, resume=resume)  # another run may have started in the meantime
        run.remove_leftovers()
        write_json(run.settings_file, values)
        optimizer = build_optimizer(objective, config)
        TrainingLoop(
            objective,
            optimizer,
            run,
            config,
            accelerator=accelerator,
            batches=lambda start: seeded_steps(config.seed, start),
            learning_rates=lambda step: (
                [_learning_rate(config, step)] * len(optimizer.param_groups)
            ),
            max_grad_norm=config.max_grad_norm,
            resume=resume,
        ).run()
    finally:
        run.unlock()


def _learning_rate(config: PretrainingConfig, step: int) -> float:
    return warmup_cosine_lr(
        step, peak=config.learning_rate, steps=config.steps, warmup=config.warmup
    )


def _check(values: Mapping[str, Any], run: RunFolder, *, resume: bool) -> None:
    """Refuse to mix two runs in one folder, or to replace a checkpoint."""
    path = run.settings_file
    if not resume:
        run.check_free()
        return
    if not path.is_file():
        raise RisbookError(f"{path}: no run to resume here; leave --resume out to start one")
    try:
        recorded = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise RisbookError(f"{path}: not the settings of a pretraining ({error})") from error
    if different := _different(recorded, values):
        raise RisbookError(
            f"{path}: that run had another {', '.join(different)}; resume with its own settings "
            "or pretrain into another folder"
        )


def _different(recorded: Any, values: Any, name: str = "") -> list[str]:
    """Dotted names of the entries in which two records differ."""
    if not (isinstance(recorded, Mapping) and isinstance(values, Mapping)):
        return [] if recorded == values else [name or "content"]
    return [
        entry
        for key in sorted({*recorded, *values})
        for entry in _different(recorded.get(key), values.get(key), f"{name}.{key}".strip("."))
    ]
