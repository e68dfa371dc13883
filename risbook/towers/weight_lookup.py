"""Where a tower's weights lie: in the package, in a folder, or on the hub."""

import json
import os
from pathlib import Path

from risbook.errors import DataError, RisbookError
from risbook.towers.hub import check_digest, commit_of, fetch
from risbook.towers.tower_presets import TowerPreset
from risbook.towers.weights import file_digest, find_file
from risbook.towers.weights_source import WeightsSource

#: Weights that come with the package, one folder a tower.
SHIPPED = Path(__file__).resolve().parent.parent / "checkpoints" / "towers"

#: An environment variable: a folder that holds weights, one folder a tower or pair of towers.
FOLDER_VARIABLE = "RISBOOK_WEIGHTS"


def find_weights(
    name: str, preset: TowerPreset, weights: str | Path
) -> tuple[Path | None, WeightsSource]:
    """Find what `build_tower` is to load.

    Args:
        name: the tower's name.
        preset: its entry in the table.
        weights: as `build_tower` has it.

    Returns:
        The file, None for random weights, and what it is.

    Raises:
        RisbookError: if there is none, or it cannot be had; the message says what to do.
        DataError: if it is for another tower, or not the pinned file.
    """
    wish = str(weights)
    if wish == "random":
        return None, WeightsSource()
    if preset.hub is None and wish == "hub":
        raise RisbookError(f"{name} is not on the hub: it comes with the package")
    if preset.hub is None and wish == "auto":
        folder = SHIPPED / name
        if not (folder / "config.json").is_file():
            raise RisbookError(
                f"{name}: its weights are not in this installation; make them by "
                "`risbook pretrain`, name a folder that holds them, or use weights='random'"
            )
        path = folder / "model.safetensors"
        _check_config(folder / "config.json", name, preset)
        return path, WeightsSource("small", f"{name}, shipped", file_digest(path))
    place = local_folder(name, weights)
    if place is not None:
        path = find_file(place)
        if (path.parent / "config.json").is_file():
            _check_config(path.parent / "config.json", name, preset)
        digest = file_digest(path)
        if preset.hub is None:
            return path, WeightsSource("small", str(path), digest)
        known = digest == preset.hub.sha256
        return path, WeightsSource(
            "real", f"{preset.hub}, from {path}" if known else str(path), digest
        )
    assert preset.hub is not None, "a tower of ours is shipped or named"
    path = fetch(preset.hub, ways_out=ways_out(preset.hub.file))
    digest = check_digest(path, preset.hub)
    commit = commit_of(path) or preset.hub.revision
    return path, WeightsSource("real", f"{preset.hub.repo}@{commit[:8]}", digest)


def local_folder(name: str, weights: str | Path) -> Path | None:
    """Where a tower's weights lie on this machine, if the reader said so.

    Args:
        name: the tower's name.
        weights: "auto": below the folder that RISBOOK_WEIGHTS names; "hub": nowhere; or a file or
            folder. A folder may hold one for each tower or pair.

    Raises:
        RisbookError: if there is no such file or folder.
    """
    pair = name.removesuffix("-image").removesuffix("-text")
    if str(weights) in ("auto", "hub"):
        named = os.environ.get(FOLDER_VARIABLE, "") if str(weights) == "auto" else ""
        if not named:
            return None
        folders = [Path(named) / name, Path(named) / pair]
        return next((folder for folder in folders if folder.is_dir()), None)
    place = Path(weights)
    if not place.exists():
        raise RisbookError(
            f"weights={str(weights)!r}: there is no such file or folder; weights are 'auto', "
            "'hub', 'random', or the path of a file or folder"
        )
    folders = [place / name, place / pair]
    return next((folder for folder in folders if folder.is_dir()), place)


def ways_out(file: str) -> str:
    """What a reader can do who cannot reach the hub."""
    # Random weights are no way out of a vocabulary that is missing.
    last = "" if file == "tokenizer.json" else " or weights='random'"
    return (
        "connect to the network once and it is kept, point weights= or "
        f"{FOLDER_VARIABLE} to a folder that holds {file}, or use a mini tower{last}"
    )


def _check_config(path: Path, name: str, preset: TowerPreset) -> None:
    """Refuse a folder of ours that is for another tower, or of another geometry."""
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: not a JSON file ({error})") from error
    if not isinstance(about, dict) or "tower" not in about:
        return  # another library's configuration
    if about["tower"] != name:
        raise DataError(f"{path}: these are the weights of {about['tower']}, not of {name}")
    geometry = about.get("geometry", {})
    written = {k: tuple(v) if isinstance(v, list) else v for k, v in geometry.items()}
    for key, value in preset.geometry.items():
        if key != "taps" and written.get(key) != value:
            raise DataError(f"{path}: {key} is {written.get(key)} here, and {value} in {name}")
