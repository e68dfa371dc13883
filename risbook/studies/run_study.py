"""Running a study: a command that can be stopped, and that goes on when it is given again.

Each finished run leaves a result file. A run whose file exists is not repeated, and a run that was
killed goes on from its last state. Where two studies share a run, the second takes the result of
the first.
"""

import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from risbook.config import Precision
from risbook.data.catalog import separate_split
from risbook.errors import RisbookError
from risbook.evaluation.evaluate import evaluate
from risbook.evaluation.packed_scores import pack_image_ids, pack_scores
from risbook.evaluation.result_files import read_result, write_result
from risbook.files import write_json
from risbook.layers.precision import choose_precision
from risbook.studies.run_settings import (
    describe_differences,
    find_result,
    read_settings,
    run_settings,
)
from risbook.studies.study import Run, Study
from risbook.systems.checkpoints import load_system
from risbook.systems.parameters import count_parameters
from risbook.training.run import train_system
from risbook.training.run_log import read_log
from risbook.training.training_config import TrainingConfig


def run_study(
    study: Study,
    folder: Path,
    results: Path,
    *,
    only: Sequence[str] = (),
    weights: str | Path = "auto",
    steps: int | None = None,
    limit: int | None = None,
    precision: Precision | None = None,
    report: Callable[[str], None] = print,
) -> list[Path]:
    """Make the runs that have no result yet.

    Args:
        study: the study.
        folder: gets a folder for each run while it trains; removed when its result is written.
        results: gets a folder of the study's name, with a result file for each run.
        only: keys of the runs to make; all of them if empty.
        weights: where the towers' weights are from.
        steps: other than the study's, for a trial, as `limit` is; the results hold both.
        limit: other than the study's.
        precision: arithmetic of the training, other than the study's.
        report: called with a line about each run that starts.

    Returns:
        The result files of the selected runs, in the order in which they are made.

    Raises:
        RisbookError: for a key that the study does not have, or a result that was measured under
            other settings.
    """
    selected = study.select_runs(only)
    limit = study.limit if limit is None else limit
    paths = []
    for number, (run, seed) in enumerate(selected, start=1):
        path = results / study.name / f"{run.key}-{seed}.json"
        paths.append(path)
        config = run_training_config(
            study, run, seed, weights=weights, steps=steps, precision=precision
        )
        settings = run_settings(config, study.eval_splits, limit)
        if path.is_file():
            if differences := describe_differences(read_settings(path), settings):
                raise RisbookError(
                    f"{path}: was measured under other settings ({'; '.join(differences)}); move "
                    "it away to have it measured again, or name another folder for the results"
                )
            continue
        report(f"{study.name} {number}/{len(selected)}: {run.key}, seed {seed}")
        command = _command(study, run, config, limit)
        labels = {"suite": study.name, "row": run.key}
        path.parent.mkdir(parents=True, exist_ok=True)
        if original := find_result(results, settings):
            same = f"{original.parent.name}/{original.stem}"
            report(f"  the same run as {same}: not repeated")
            labels["command"] = shlex.join(command)
            write_json(path, {"same_run_as": same, **read_result(original), **labels})
            continue
        _make_result(
            path, config, folder / path.stem, command=command, settings=settings, labels=labels
        )
    return paths


def run_training_config(
    study: Study,
    run: Run,
    seed: int,
    *,
    weights: str | Path = "auto",
    steps: int | None = None,
    precision: Precision | None = None,
) -> TrainingConfig:
    """The training of a run with one of its seeds; keyword arguments as in `run_study`."""
    source = {} if weights == "auto" else {"weights": str(weights)}
    return TrainingConfig(
        **{
            "system": run.system or study.system,
            "data": study.data,
            "overrides": {**run.overrides, **source},
            "steps": (run.steps or study.steps) if steps is None else steps,
            "batch_size": study.batch_size,
            "learning_rate": run.learning_rate or study.learning_rate,
            "num_images": run.num_images,
            "subset_seed": run.subset_seed,
            "seed": seed,
            "save_every": 200,
            **study.training,
            **run.training,
            **({} if precision is None else {"precision": precision}),
        }
    )


def _make_result(
    path: Path,
    config: TrainingConfig,
    folder: Path,
    *,
    command: Sequence[str],
    settings: Mapping[str, Any],
    labels: Mapping[str, str],
) -> None:
    """Train in a folder, or go on there, score the checkpoint and write a result file."""
    train_system(config, folder, resume=(folder / "training.json").is_file())
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")  # as in `train_system`
    system = load_system(folder).to(device)
    rows = []
    for eval_split in settings["eval_splits"]:
        name, split = separate_split(eval_split)
        scores = evaluate(system, name, split, limit=settings["limit"], show_progress=False)
        single = {"ious": pack_scores(scores.ious), "images": pack_image_ids(scores.image_ids)}
        rows.append({"set": name, "split": split, **scores, **single})
    parameters = count_parameters(system)
    about = {
        **labels,
        "seed": config.seed,
        "precision": choose_precision(config.precision, device),
        "tuned": parameters.tuned,
        "adapters": parameters.backbone_tuned,  # the key of results on disk
        "seconds": float(read_log(folder / "log.jsonl")[-1]["seconds"]),
    }
    write_result(path, rows, command=command, system=system, settings=settings, about=about)
    shutil.rmtree(folder)


def _command(study: Study, run: Run, config: TrainingConfig, limit: int) -> list[str]:
    """The words that make the result of a run again."""
    default = run_training_config(study, run, config.seed)
    words = ["risbook", "study", study.name, "--only", run.key]
    for option, value, usual in (
        ("--steps", config.steps, default.steps),
        ("--limit", limit, study.limit),
        ("--precision", config.precision, default.precision),
        ("--weights", config.overrides.get("weights", "auto"), "auto"),
    ):
        words += [option, str(value)] if value != usual else []
    return words
