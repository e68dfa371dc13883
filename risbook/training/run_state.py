"""The state of a run between two steps, so that it can go on after it was killed.

One file holds everything that the next step depends on: weights, optimiser, gradient scaler,
generators and counters. It is written under another name and renamed, so a kill at any moment
leaves the last whole state; it is read with `weights_only=True`, so it cannot run code.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from risbook.errors import RisbookError
from risbook.files import write_torch


@dataclass
class Progress:
    """Where a run stands.

    Args:
        step: optimiser steps taken.
        loss_sum: sum of the losses since the last row of the log.
        loss_count: how many losses that were.
        seconds: seconds of training so far, all processes that worked on the run together.
    """

    step: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0
    seconds: float = 0.0


def save_progress(
    path: Path,
    progress: Progress,
    *,
    model: dict[str, Tensor],
    optimizer: dict[str, Any],
    scaler: dict[str, Any] | None,
) -> None:
    """Write the state of a run.

    Args:
        path: the file.
        progress: the counters.
        model: state dict of the system.
        optimizer: state dict of the optimiser.
        scaler: state dict of the gradient scaler, None without one.
    """
    state = {
        "progress": vars(progress),
        "model": model,
        "optimizer": optimizer,
        "scaler": scaler,
        "cpu_generator": torch.get_rng_state(),
        "cuda_generators": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    write_torch(path, state)


def load_progress(path: Path) -> dict[str, Any]:
    """Read the state of a run and set the generators back.

    Returns:
        The entries `progress` (a `Progress`), `model`, `optimizer` and `scaler`.

    Raises:
        RisbookError: if the file cannot be read.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        state["progress"] = Progress(**state["progress"])
        torch.set_rng_state(state.pop("cpu_generator"))
        cuda = state.pop("cuda_generators")
    except Exception as error:
        raise RisbookError(
            f"{path}: the state of the run cannot be read ({error}); start again without --resume"
        ) from error
    if torch.cuda.is_available() and len(cuda) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(cuda)
    return state
