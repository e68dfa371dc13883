"""The base of pretraining objectives: length, learning rate, batches that follow from a seed."""

import itertools
from collections.abc import Iterator
from typing import Any

import torch

from risbook.config import Count, PositiveCount, PositiveNumber, Precision, Seed, configuration
from risbook.training.objective import Objective
from risbook.training.schedule import warmup_cosine_lr


@configuration
class PretrainingConfig:
    """The length of a pretraining, its optimiser and its arithmetic.

    Args:
        steps: optimiser steps.
        learning_rate: peak of the schedule (linear warm-up, half a cosine).
        warmup: steps of the warm-up.
        weight_decay: of matrices; vectors and position tables have none.
        max_grad_norm: largest norm of the gradient.
        seed: decides the initial weights and every batch.
        precision: arithmetic; "auto" is bf16 where the machine computes it fast.
        log_every: steps between two rows of the log.
        save_every: steps between two states that a killed run can continue from.
    """

    steps: PositiveCount
    learning_rate: PositiveNumber = 1e-3
    warmup: Count = 100
    weight_decay: float = 0.05
    max_grad_norm: PositiveNumber = 1.0
    seed: Seed = 0
    precision: Precision = "auto"
    log_every: PositiveCount = 20
    save_every: PositiveCount = 200


class PretrainingObjective(Objective):
    """An objective whose `forward` samples the batch itself.

    `forward` takes the number of the step and a generator, and returns the losses. The generator
    follows from the seed and the step.

    Args:
        loop: the length of the run, its learning rate and its seed.
    """

    def __init__(self, loop: PretrainingConfig) -> None:
        super().__init__()
        self.loop = loop

    def batches(self, start: int) -> Iterator[tuple[int, torch.Generator]]:
        """Each step's number and the generator that its batch is sampled with."""
        for step in itertools.count(start):
            yield step, torch.Generator().manual_seed(self.loop.seed * 1_000_003 + step)

    def optimizer_groups(self) -> list[dict[str, Any]]:
        """Matrices, and vectors, which have no weight decay."""
        matrices: dict[str, Any] = {"params": []}
        vectors: dict[str, Any] = {"params": [], "weight_decay": 0.0}
        for value in self.parameters():
            if value.requires_grad:
                group = matrices if value.ndim >= 2 and min(value.shape) > 1 else vectors
                group["params"].append(value)
        return [matrices, vectors]

    def learning_rate(self, step: int, *, peak: float, lr_scale: float) -> float:
        """A linear warm-up, then half a cosine."""
        steps, warmup = self.loop.steps, self.loop.warmup
        return warmup_cosine_lr(step, peak=lr_scale * peak, steps=steps, warmup=warmup)
