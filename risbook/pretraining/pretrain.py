"""Pretraining as a run of the training loop, with AdamW."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from risbook.errors import RisbookError
from risbook.files import read_json
from risbook.pretraining.pretraining_objective import PretrainingObjective
from risbook.training.loop import TrainingLoop, build_accelerator
from risbook.training.run_folder import RunFolder


def pretrain(
    objective: PretrainingObjective,
    folder: Path,
    *,
    device: torch.device,
    resume: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Run an objective to the end of its schedule.

    The folder gets ``pretraining.json``, ``log.jsonl`` and ``progress.pt``. `settings` are what
    `objective.loop` does not hold; a run with other settings is not resumed.

    Raises:
        RisbookError: as `risbook.training.loop.TrainingLoop`, and for a folder that holds
            another run.
    """
    loop = objective.loop
    run = RunFolder(folder, config_file="pretraining.json")
    # as JSON gives them back: lists in place of tuples
    values = json.loads(json.dumps({**(settings or {}), "loop": asdict(loop)}))

    def differences(path: Path) -> list[str]:
        return _different(_with_present_names(read_json(path)), values)

    run.check(differences, resume=resume)
    accelerator = build_accelerator(loop.precision, device)
    if accelerator.num_processes > 1:
        raise RisbookError("pretraining runs in one process; start it without accelerate launch")
    try:
        run.begin(values, differences, resume=resume)
        optimizer = torch.optim.AdamW(
            objective.optimizer_groups(),
            lr=loop.learning_rate,
            weight_decay=loop.weight_decay,
            betas=(0.9, 0.98),
        )
        TrainingLoop(
            objective,
            optimizer,
            run,
            loop,
            accelerator=accelerator,
            max_grad_norm=loop.max_grad_norm,
            resume=resume,
        ).run()
    finally:
        run.unlock()


def _with_present_names(recorded: Any) -> Any:
    """A record of settings, in which `save_every` may have its first name."""
    loop = recorded.get("loop") if isinstance(recorded, Mapping) else None
    if not isinstance(loop, Mapping):
        return recorded
    names = {"checkpoint_every": "save_every"}
    return {**recorded, "loop": {names.get(name, name): value for name, value in loop.items()}}


def _different(recorded: Any, values: Any, name: str = "") -> list[str]:
    """Dotted names of the entries in which two records differ."""
    if not (isinstance(recorded, Mapping) and isinstance(values, Mapping)):
        return [] if recorded == values else [name or "content"]
    return [
        entry
        for key in sorted({*recorded, *values})
        for entry in _different(recorded.get(key), values.get(key), f"{name}.{key}".strip("."))
    ]
