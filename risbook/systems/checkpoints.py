"""Checkpoints: a folder that holds what a system learned, its configuration and its tokenizer.

Weights are safetensors, so opening a stranger's checkpoint runs nothing of theirs. A folder
counts only when its `config.json` is there, and that file is written last.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from risbook.errors import DataError, RisbookError
from risbook.files import write_atomically, write_json, write_safetensors
from risbook.systems.system import System
from risbook.systems.system_presets import (
    SHIPPED_SYSTEMS,
    SYSTEMS,
    BuildSource,
    read_system_config,
    system_preset,
)
from risbook.towers.weight_files import read_weights
from risbook.towers.weights_source import WeightsSource, set_weights_source

CHECKPOINT_FORMAT = 1


def shipped() -> list[str]:
    """Names of the checkpoints that come with the package."""
    return sorted(path.parent.name for path in SHIPPED_SYSTEMS.glob("*/config.json"))


def save_system(system: System, folder: str | Path, *, dtype: torch.dtype | None = None) -> None:
    """Write a checkpoint.

    Args:
        system: the system.
        folder: made if it is not there.
        dtype: a smaller float type for the file, for instance `torch.float16`; integers and
            everything that a reader computes with stay as they are after loading.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").unlink(missing_ok=True)  # until all of the new files are there
    state = {
        name: value.detach().cpu().to(dtype if dtype and value.is_floating_point() else value.dtype)
        for name, value in system.saved_state().items()
    }
    write_safetensors(folder / "model.safetensors", state)
    if system.owns_tokenizer:
        with write_atomically(folder / "tokenizer.json") as path:
            system.tokenizer.to_file(path)
    about = {"format": CHECKPOINT_FORMAT, "system": system.name, "config": system.configuration()}
    if sources := system.weights_sources():
        about["towers"] = sources
    write_json(folder / "config.json", about)


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file() and (folder / "training.json").is_file():
        raise DataError(
            f"{folder}: this run is not finished; go on with it by --resume, then come back"
        )
    if not path.is_file():
        names = ", ".join(shipped()) or "none"
        raise DataError(
            f"{folder}: no checkpoint here (config.json is missing); "
            f"name a folder that `risbook train` wrote, or one that is shipped: {names}"
        )
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a JSON file ({error})") from error
    if not isinstance(about, dict) or about.get("format") != CHECKPOINT_FORMAT:
        raise DataError(f"{path}: not a checkpoint of format {CHECKPOINT_FORMAT}")
    if not isinstance(about.get("system"), str) or about["system"] not in SYSTEMS:
        raise DataError(f"{path}: unknown system {about.get('system')!r}")
    towers = about.setdefault("towers", {})
    if not isinstance(towers, dict) or not all(
        isinstance(source, dict)
        and all(isinstance(source.get(key, ""), str) for key in ("kind", "source", "sha256"))
        for source in towers.values()
    ):
        raise DataError(f"{path}: towers has to say by name where each tower's weights are from")
    return about


def find_checkpoint(where: str | Path) -> Path:
    """The folder of a checkpoint: `where` itself, or the shipped one of that name."""
    folder = Path(where)
    if not (folder / "config.json").is_file() and str(folder) in shipped():
        return SHIPPED_SYSTEMS / folder  # also with a slash behind the name, as shells complete it
    return folder


def load_system(where: str | Path) -> System:
    """Read a checkpoint, ready to evaluate.

    Args:
        where: a folder, or the name of a shipped checkpoint; a folder of that name goes first.

    Returns:
        The system in float32, on the CPU, in evaluation mode.

    Raises:
        DataError: if the folder is no checkpoint, or its weights are not those of its
            configuration; the message names the entry.
    """
    folder = find_checkpoint(where)
    about = _read_config(folder)
    try:
        config = read_system_config(about["system"], about.get("config"))
        system = system_preset(about["system"]).build(config, BuildSource(folder=folder))
    except RisbookError as error:
        raise DataError(f"{folder / 'config.json'}: {error}") from error
    path = folder / "model.safetensors"
    if not path.is_file():
        raise DataError(f"{path}: the weights are missing")
    state = read_weights(path)
    _check_weights_sources(folder / "config.json", about["towers"], system)
    try:
        system.load_saved(state)
    except DataError as error:
        raise DataError(f"{path}: does not fit its configuration; {error}") from error
    return system.eval()


def _check_weights_sources(path: Path, recorded: Mapping[str, Any], system: System) -> None:
    """Refuse to put what was learned on one tower onto another; note those that come along."""
    for part, source in system.weights_sources().items():
        if recorded.get(part, {}).get("inside"):
            try:
                set_weights_source(
                    system.get_submodule(part), WeightsSource.from_dict(recorded[part])
                )
            except TypeError as error:
                raise DataError(f"{path}: {part} has a source with unknown entries") from error
            continue
        wanted = recorded.get(part, {}).get("sha256", "")
        if wanted != source["sha256"]:
            raise DataError(
                f"{path}: was learned on an {part} with sha256 {wanted[:8] or 'none'} "
                f"({recorded.get(part, {}).get('source', 'unknown')}), but the one here has "
                f"{source['sha256'][:8] or 'none'} ({source['source'] or 'random weights'})"
            )
