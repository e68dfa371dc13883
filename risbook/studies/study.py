"""A study: the same data, steps, seeds and evaluation for every run that it compares.

Each finished run leaves one result file. A run whose file is there is not repeated, and a run that
was killed goes on from its last state, so the command that started a study also finishes it. Where
two studies share a run, the second takes the first one's result.
"""

import json
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, cast

import torch

from risbook.config import from_values, to_values
from risbook.data import open_data
from risbook.errors import RisbookError
from risbook.evaluation.evaluate import evaluate
from risbook.evaluation.result_files import read_result, write_result
from risbook.files import write_json
from risbook.systems.checkpoints import load_system
from risbook.systems.parameters import count_parameters
from risbook.systems.system_presets import build_system
from risbook.training.precision import choose_precision
from risbook.training.training_config import OLD_NAMES, Precision, TrainingConfig
from risbook.training.training_run import train_system

#: called with a line about what happens next
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """One row of a comparison.

    Args:
        key: by which tables ask for it.
        system: a preset's name.
        changes: fields of its configuration to change.
        seeds: one training each.
        learning_rate: peak of the schedule, where the study's does not suit this row.
    """

    key: str
    system: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)
    learning_rate: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is compared, and under which budget.

    Args:
        name: its name, that of its folder of results as well.
        summary: one line.
        runs: the rows.
        data: sets to train on.
        steps: optimiser steps of every run.
        batch: samples a step.
        learning_rate: peak of the schedule.
        places: splits to evaluate on, as "set:split".
        limit: expressions of each split, evenly taken; 0 for all.
    """

    name: str
    summary: str
    runs: tuple[Run, ...]
    data: tuple[str, ...] = ("refscenes+",)
    steps: int = 600
    batch: int = 32
    learning_rate: float = 1e-3
    places: tuple[str, ...] = ("refscenes+:val",)
    limit: int = 0

    def __post_init__(self) -> None:
        keys = [run.key for run in self.runs]
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise RisbookError(f"study {self.name}: two runs are called {twice[0]}")


def run_study(
    study: Study,
    folder: Path,
    results: Path,
    *,
    only: Sequence[str] = (),
    weights: str | Path = "auto",
    steps: int | None = None,
    limit: int | None = None,
    precision: Precision = "auto",
    say: Say = print,
) -> list[Path]:
    """Run what is not done yet.

    Args:
        study: the study.
        folder: gets a folder for each run while it trains; removed when its result is written.
        results: gets a folder of the study's name, with a result file for each run.
        only: keys of the runs to make; all of them if empty.
        weights: where the towers' weights are from.
        steps: other than the study's, for a trial; the results say so.
        limit: other than the study's.
        precision: arithmetic of the training.
        say: told what happens.

    Returns:
        The result files of the runs that were asked for, in the order in which they are made.

    Raises:
        RisbookError: for a key that the study does not have, or a result that was measured under
            other settings.
    """
    if unknown := [key for key in only if key not in {run.key for run in study.runs}]:
        keys = ", ".join(run.key for run in study.runs)
        raise RisbookError(f"study {study.name} has no run {unknown[0]!r}; it has {keys}")
    limit = study.limit if limit is None else limit
    order = _order(study, only)
    found = []
    for number, (run, seed) in enumerate(order, start=1):
        path = results / study.name / f"{run.key}-{seed}.json"
        config = TrainingConfig(
            system=run.system,
            data=study.data,
            overrides={
                **run.changes,
                **({} if str(weights) == "auto" else {"weights": str(weights)}),
            },
            steps=study.steps if steps is None else steps,
            batch_size=study.batch,
            learning_rate=run.learning_rate or study.learning_rate,
            seed=seed,
            precision=precision,
            checkpoint_every=200,
        )
        settings = _Settings.of(config, study.places, limit)
        found.append(path)
        if path.is_file():
            settings.check(path)
            continue
        say(f"{study.name} {number}/{len(order)}: {run.key}, seed {seed}")
        if (twin := _same_run(results, settings)) is not None:
            say(f"  the same run as {twin['same_run_as']}: not repeated")
            path.parent.mkdir(parents=True, exist_ok=True)
            command = shlex.join(_command(study, run, config, limit))
            write_json(path, {**twin, "suite": study.name, "row": run.key, "command": command})
            continue
        place = folder / f"{run.key}-{seed}"
        train_system(config, place, resume=(place / "training.json").is_file())
        _write(study, run, config, place, path, settings)
        shutil.rmtree(place)
    return found


@dataclass(frozen=True, slots=True)
class _Settings:
    """Everything that decides a result, as a result file holds it.

    A preset's defaults and the shipped towers can change under the same names, so the whole
    configuration and the towers' digests belong to it, and where the towers lay does not.

    Args:
        values: plain values, as JSON gives them back.
        defaults: by section, those of each field. A result is older than a field that it does
            not have, so it was made with that field's default.
    """

    values: dict[str, Any]
    defaults: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, config: TrainingConfig, places: Sequence[str], limit: int) -> "_Settings":
        system = build_system(config.system, sentences=["object"], changes=config.overrides)
        training = to_values(config)
        training["overrides"] = _without_weights(config.overrides)
        values = {
            "training": training,
            "configuration": _without_weights(system.configuration()),
            "towers": {name: about["sha256"] for name, about in system.origins().items()},
            "places": places,
            "limit": limit,
        }
        defaults = {"configuration": _defaults(system.config)}
        return cls(_plain(values), _plain(defaults))

    def differences(self, had: Mapping[str, Any]) -> list[str]:
        """Each entry in which those of a result file differ, by its last name."""
        sections = {name: {**own, **had.get(name, {})} for name, own in self.defaults.items()}
        if "training" in had:
            training = from_values(TrainingConfig, had["training"], aliases=OLD_NAMES)
            sections["training"] = to_values(training)
        return _differences({**had, **sections}, self.values)

    def check(self, path: Path) -> None:
        """Refuse to mix budgets, presets or towers in one table."""
        if different := "; ".join(self.differences(read_result(path).get("settings", {}))):
            raise RisbookError(
                f"{path}: was measured under other settings ({different}); move it away to have "
                "it measured again, or name another folder for the results"
            )


def _without_weights(configuration: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in configuration.items() if name != "weights"}


def _defaults(record: Any) -> dict[str, Any]:
    """What a dataclass' fields are where nobody says."""
    return _without_weights(
        {one.name: one.default for one in fields(record) if one.default is not MISSING}
    )


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return cast(dict[str, Any], json.loads(json.dumps(values)))


def _same_run(results: Path, settings: _Settings) -> dict[str, Any] | None:
    """The result of another study's run that trains and asks exactly the same, if it is done."""
    for path in sorted(results.glob("*/*.json")):
        about = read_result(path)
        if "settings" in about and not settings.differences(about["settings"]):
            return {"same_run_as": f"{path.parent.name}/{path.stem}", **about}
    return None


def _differences(had: Any, wanted: Any, name: str = "") -> list[str]:
    """Each entry in which two settings differ, by its last name."""
    if isinstance(had, Mapping) and isinstance(wanted, Mapping):
        keys = sorted({*had, *wanted})
        return [
            line for key in keys for line in _differences(had.get(key), wanted.get(key), str(key))
        ]
    return [] if had == wanted else [f"{name}: {had} there, {wanted} here"]


def _order(study: Study, only: Sequence[str]) -> list[tuple[Run, int]]:
    """First all rows with their first seed: half a study is then a table, too."""
    wanted = [run for run in study.runs if not only or run.key in only]
    most = max((len(run.seeds) for run in wanted), default=0)
    return [
        (run, run.seeds[number])
        for number in range(most)
        for run in wanted
        if number < len(run.seeds)
    ]


def _command(study: Study, run: Run, config: TrainingConfig, limit: int) -> list[str]:
    """The words that make a run's result again."""
    words = ["risbook", "study", study.name, "--only", run.key]
    words += ["--steps", str(config.steps)] if config.steps != study.steps else []
    words += ["--limit", str(limit)] if limit != study.limit else []
    words += ["--precision", config.precision] if config.precision != "auto" else []
    words += ["--weights", config.overrides["weights"]] if "weights" in config.overrides else []
    return words


def _write(
    study: Study,
    run: Run,
    config: TrainingConfig,
    place: Path,
    path: Path,
    settings: _Settings,
) -> None:
    limit = settings.values["limit"]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")  # where `train` was
    system = load_system(place).to(device)
    rows = []
    for where in study.places:
        name, _, split = where.rpartition(":")
        scores = evaluate(system, open_data(name), split, limit=limit, show_progress=False)
        rows.append({"set": name, "split": split, **scores.summary().as_dict()})
    report = count_parameters(system)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_result(
        path,
        rows,
        command=_command(study, run, config, limit),
        system=system,
        settings=settings.values,
        about={
            "suite": study.name,
            "row": run.key,
            "seed": config.seed,
            "precision": choose_precision(config.precision, device),
            "tuned": report.tuned,
            "adapters": report.adapters,
            "seconds": _seconds(place),
        },
    )


def _seconds(place: Path) -> float:
    """Seconds of training, from the last line of the log."""
    lines = (place / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return float(json.loads(lines[-1])["seconds"])
