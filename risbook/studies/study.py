"""A study: the same data, steps, seeds and evaluation for every run that it compares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from risbook.errors import RisbookError


@dataclass(frozen=True, slots=True)
class Run:
    """A row of a comparison."""

    key: str  # by which tables ask for it
    overrides: Mapping[str, Any] = field(default_factory=dict)  # of the study's configuration
    seeds: tuple[int, ...] = (0,)  # one training each
    learning_rate: float | None = None  # where the study's does not suit this row
    system: str = ""  # a preset in place of the study's
    steps: int = 0  # optimiser steps in place of the study's
    num_images: int = 0  # training images, a subset of those of the study's data; 0 for all
    subset_seed: int = 0  # which images those are, for all seeds of the run
    training: Mapping[str, Any] = field(default_factory=dict)  # more fields of `TrainingConfig`


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is compared, and under which budget.

    Raises:
        RisbookError: two runs have one key.
    """

    name: str  # that of its folder of results as well
    summary: str  # one line
    system: str  # the preset whose configuration the runs override
    runs: tuple[Run, ...]
    data: tuple[str, ...] = ("refscenes+",)  # sets to train on
    steps: int = 600  # optimiser steps of every run
    batch_size: int = 32
    learning_rate: float = 1e-3  # peak of the schedule
    eval_splits: tuple[str, ...] = ("refscenes+:val",)  # as "set:split"
    limit: int = 0  # expressions of each split, evenly taken; 0 for all
    training: Mapping[str, Any] = field(default_factory=dict)  # more fields of `TrainingConfig`

    def __post_init__(self) -> None:
        keys = [run.key for run in self.runs]
        if repeated := sorted({key for key in keys if keys.count(key) > 1}):
            raise RisbookError(f"study {self.name}: two runs are called {repeated[0]}")

    def select_runs(self, keys: Sequence[str] = ()) -> list[tuple[Run, int]]:
        """Runs and seeds, all runs with their first seed first: half a study is then a table.

        Args:
            keys: of the runs; all of them if empty.

        Raises:
            RisbookError: for a key that the study does not have.
        """
        known_keys = [run.key for run in self.runs]
        if unknown := [key for key in keys if key not in known_keys]:
            raise RisbookError(
                f"study {self.name} has no run {unknown[0]!r}; it has {', '.join(known_keys)}"
            )
        runs = [run for run in self.runs if run.key in (keys or known_keys)]
        pairs = [(run, seed) for run in runs for seed in run.seeds]
        return sorted(pairs, key=lambda pair: pair[0].seeds.index(pair[1]))
