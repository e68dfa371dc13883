"""Everything that decides a training run, in one frozen record."""

import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from risbook.errors import RisbookError
from risbook.files import write_json

Precision = Literal["auto", "no", "bf16", "fp16"]
Schedule = Literal["cosine", "milestones"]


@dataclass(frozen=True)
class TrainingConfig:
    """A training run.

    Args:
        system: a preset's name.
        data: names or folders of the sets to train on (see `risbook.data.open_data`).
        splits: splits to train on.
        partition: "unc", "google" or "umd" where a folder holds several, "" for its default.
        images: folder of the pictures where they do not lie beside the sets, "" otherwise.
        changes: changes to the preset's configuration.
        steps: optimiser steps.
        batch: samples a step, all processes together; never more than there are objects.
        learning_rate: peak of the schedule.
        bridger_multiplier: the Bridgers' learning rate, as a multiple of the others'; with
            "milestones" from the second epoch on, as released.
        schedule: "cosine" warms up and then falls to zero; "milestones" is the released recipe of
            ETRIS: a constant rate, and a tenth of it from about 70 % of the epochs on.
        warmup: steps of the linear warm-up; "milestones" has none.
        seed: seeds the weights, the order, the drawn sentences and dropout.
        precision: "auto" takes bf16 or fp16 where the machine computes them fast.
        text: "sent" or "raw".
        validate_on: splits, as "set:split", that are evaluated while training.
        validate_every: steps between two validations.
        validate_limit: expressions a validation, 0 for all.
        checkpoint_every: steps between two checkpoints.
        log_every: steps between two lines of the log.
        keep_images: keep letterboxed images in memory.
        workers: loader processes.
    """

    system: str
    data: tuple[str, ...]
    splits: tuple[str, ...] = ("train",)
    partition: str = ""
    images: str = ""
    changes: dict[str, Any] = field(default_factory=dict)
    steps: int = 1000
    batch: int = 32
    learning_rate: float = 1e-3
    bridger_multiplier: float = 1.0
    schedule: Schedule = "cosine"
    warmup: int = 100
    seed: int = 0
    precision: Precision = "auto"
    text: Literal["sent", "raw"] = "sent"
    validate_on: tuple[str, ...] = ()
    validate_every: int = 1000
    validate_limit: int = 0
    checkpoint_every: int = 500
    log_every: int = 20
    keep_images: bool = True
    workers: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "validate_every", "checkpoint_every", "log_every"):
            if getattr(self, name) < 1:
                raise RisbookError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("warmup", "validate_limit", "workers"):
            if getattr(self, name) < 0:
                raise RisbookError(f"{name} is {getattr(self, name)}; it must not be negative")
        if not 0 < self.learning_rate < math.inf:
            raise RisbookError(f"learning_rate is {self.learning_rate}; it must be positive")
        if not 0 < self.bridger_multiplier < math.inf:
            raise RisbookError(
                f"bridger_multiplier is {self.bridger_multiplier}; it must be positive and finite, "
                "1 for the others' rate"
            )
        if self.schedule not in get_args(Schedule):
            names = " or ".join(repr(name) for name in get_args(Schedule))
            raise RisbookError(f"schedule is {self.schedule!r}; it must be {names}")
        if not 0 <= self.seed < 2**32:
            raise RisbookError(f"seed is {self.seed}; it must lie from 0 to 2**32 - 1")
        if not self.data:
            raise RisbookError("no data to train on: name at least one set")
        # As JSON gives them back, so that a run equals itself when it is read again.
        object.__setattr__(self, "changes", json.loads(json.dumps(self.changes)))

    def save(self, path: Path) -> None:
        """Write the record as JSON."""
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> "TrainingConfig":
        """Read the record back; a field that was added after it was written has its default.

        Raises:
            RisbookError: if the file is missing or holds something else.
        """
        if not path.is_file():
            raise RisbookError(f"{path}: no run to resume here; leave --resume out to start one")
        try:
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
            return cls(**values)
        except (ValueError, TypeError, AttributeError) as error:
            raise RisbookError(f"{path}: not a training configuration ({error})") from error

    def difference(self, other: "TrainingConfig") -> list[str]:
        """Names of the fields in which two runs differ."""
        return [
            entry.name
            for entry in fields(self)
            if getattr(self, entry.name) != getattr(other, entry.name)
        ]
