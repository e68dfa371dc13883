"""What decides the result of a run, and whether a result file is of the same run.

Settings are compared resolved: a file is older than a field that it does not have, so that field
has its default, and names of earlier versions are read as today's. Presets and shipped towers can
change under the same names, so the whole configuration and the digests of the weights count.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from risbook.config import from_values, to_values
from risbook.evaluation.result_files import read_result
from risbook.systems.system_presets import build_system, get_system_preset
from risbook.training.old_runs import OLD_NAMES
from risbook.training.training_config import TrainingConfig


def run_settings(
    training: TrainingConfig, eval_splits: Sequence[str], limit: int
) -> dict[str, Any]:
    """The settings of a run, resolved, as its result file holds them."""
    system = build_system(training.system, sentences=["object"], overrides=training.overrides)
    towers = {name: source["sha256"] for name, source in system.weights_origins().items()}
    return _settings(training, system.config, towers, eval_splits, limit)


def read_settings(path: Path) -> dict[str, Any]:
    """The settings of a result file, resolved; empty if it is not of a training.

    Raises:
        RisbookError: the file is no result file, or a setting is unknown or impossible.
    """
    values = read_result(path).get("settings", {})
    if "training" not in values:
        return {}
    training = from_values(TrainingConfig, values["training"], where=str(path), aliases=OLD_NAMES)
    config = get_system_preset(training.system).read_config(
        values["configuration"], where=str(path)
    )
    eval_splits = values.get("eval_splits") or values["places"]  # its name in earlier versions
    return _settings(training, config, values["towers"], eval_splits, values["limit"])


def find_result(folder: Path, settings: Mapping[str, Any]) -> Path | None:
    """A result file of the same run, of whatever study below the folder."""
    files = sorted(folder.glob("*/*.json"))
    return next((path for path in files if read_settings(path) == settings), None)


def describe_differences(old: Any, new: Any, name: str = "") -> list[str]:
    """The entries in which two settings differ, in words, by dotted name."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return [
            line
            for key in sorted({*old, *new})
            for line in describe_differences(old.get(key), new.get(key), f"{name}.{key}")
        ]
    return [] if old == new else [f"{name.removeprefix('.')}: {old} there, {new} here"]


def _settings(
    training: TrainingConfig,
    config: Any,
    towers: Mapping[str, str],
    eval_splits: Sequence[str],
    limit: int,
) -> dict[str, Any]:
    values = {"training": to_values(training), "configuration": to_values(config)}
    # The configuration contains the overrides, and digests say more than where weights lay.
    values["training"].pop("overrides")
    values["configuration"].pop("weights", None)
    return {**values, "towers": dict(towers), "eval_splits": list(eval_splits), "limit": limit}
