"""Pretraining as a run of the training loop: AdamW, and batches that follow from (seed, step)."""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from risbook.config import Count, PositiveCount, PositiveNumber, Seed, configuration
from risbook.errors import RisbookError
from risbook.files import read_json
from risbook.training.objective import Objective
from risbook.training.run_folder import RunFolder
from risbook.training.schedule import warmup_cosine_lr
from risbook.training.training_config import Precision
from risbook.training.training_loop import TrainingLoop, build_accelerator


@configuration
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

    steps: PositiveCount
    learning_rate: PositiveNumber = 1e-3
    warmup: Count = 100
    weight_decay: float = 0.05
    max_grad_norm: PositiveNumber = 1.0
    seed: Seed = 0
    precision: Precision = "auto"
    log_every: PositiveCount = 20
    checkpoint_every: PositiveCount = 200


def build_optimizer(network: nn.Module, config: PretrainingConfig) -> torch.optim.AdamW:
    """AdamW over the trainable parameters; vectors have no weight decay."""
    matrices: dict[str, Any] = {"params": []}
    vectors: dict[str, Any] = {"params": [], "weight_decay": 0.0}
    for value in network.parameters():
        if value.requires_grad:
            group = matrices if value.ndim >= 2 and min(value.shape) > 1 else vectors
            group["params"].append(value)
    return torch.optim.AdamW(
        [matrices, vectors],
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        betas=(0.9, 0.98),
    )


def seeded_steps(seed: int, start: int) -> Iterator[tuple[int, torch.Generator]]:
    """Each step's number and the generator that its batch is drawn with."""
    for step in itertools.count(start):
        yield step, torch.Generator().manual_seed(seed * 1_000_003 + step)


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

    The objective's `forward` takes the number of the step and a generator, draws the batch and
    returns the losses. The folder gets ``pretraining.json``, ``log.jsonl`` and ``progress.pt``.
    `settings` are what `config` does not hold; a run with other settings is not resumed.

    Raises:
        RisbookError: as `risbook.training.training_loop.TrainingLoop`, and for a folder that holds
            another run.
    """
    run = RunFolder(folder, settings_file="pretraining.json")
    # as JSON gives them back: lists in place of tuples
    values = json.loads(json.dumps({**(settings or {}), "loop": asdict(config)}))

    def differences(path: Path) -> list[str]:
        return _different(read_json(path), values)

    def learning_rates(step: int) -> list[float]:
        lr = warmup_cosine_lr(
            step, peak=config.learning_rate, steps=config.steps, warmup=config.warmup
        )
        return [lr] * len(optimizer.param_groups)

    run.check(differences, resume=resume)
    accelerator = build_accelerator(config.precision, device)
    if accelerator.num_processes > 1:
        raise RisbookError("pretraining runs in one process; start it without accelerate launch")
    try:
        run.begin(values, differences, resume=resume)
        optimizer = build_optimizer(objective, config)
        TrainingLoop(
            objective,
            optimizer,
            run,
            config,
            accelerator=accelerator,
            batches=lambda start: seeded_steps(config.seed, start),
            learning_rates=learning_rates,
            max_grad_norm=config.max_grad_norm,
            resume=resume,
        ).run()
    finally:
        run.unlock()


def _different(recorded: Any, values: Any, name: str = "") -> list[str]:
    """Dotted names of the entries in which two records differ."""
    if not (isinstance(recorded, Mapping) and isinstance(values, Mapping)):
        return [] if recorded == values else [name or "content"]
    return [
        entry
        for key in sorted({*recorded, *values})
        for entry in _different(recorded.get(key), values.get(key), f"{name}.{key}".strip("."))
    ]
