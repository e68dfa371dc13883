"""Find the weights of a tower: in the package, in a folder, or on the hub.

Files of the hub are fetched by `huggingface_hub` at a pinned revision, or taken from its cache.
"""

import json
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from risbook.errors import DataError, RisbookError
from risbook.towers.tower_presets import HubFile, TowerPreset
from risbook.towers.weights.source import WeightsSource
from risbook.towers.weights.tensor_files import file_digest, find_file

#: Weights that come with the package, one folder per tower.
SHIPPED_TOWERS = Path(__file__).resolve().parents[2] / "checkpoints" / "towers"

#: An environment variable: a folder that holds weights, one folder per tower or pair of towers.
FOLDER_VARIABLE = "RISBOOK_WEIGHTS"

#: keys of older ``config.json`` files, and today's
_OLD_KEYS = {
    "vocabulary": "vocab_size",
    "context": "context_length",
    "width": "embed_dim",
    "heads": "num_heads",
    "patch": "patch_size",
    "table": "pos_grid",
    "registers": "num_registers",
    "projection": "projection_dim",
    "output": "output_dim",
    "taps": "out_indices",
}


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
        RisbookError: if there is none, or it is not available; the message says what to do.
        DataError: if it is for another tower, or not the pinned file.
    """
    if str(weights) == "random":
        return None, WeightsSource()
    if preset.hub is None and str(weights) == "hub":
        raise RisbookError(f"{name} is not on the hub: it comes with the package")
    if preset.hub is None and str(weights) == "auto":
        path = SHIPPED_TOWERS / name / "model.safetensors"
        if not path.with_name("config.json").is_file():
            raise RisbookError(
                f"{name}: its weights are not in this installation; make them by "
                "`risbook pretrain`, name a folder that holds them, or use weights='random'"
            )
        _check_config(path.with_name("config.json"), name, preset)
        return path, WeightsSource("risbook", f"{name}, shipped", file_digest(path))
    folder = local_folder(name, weights)
    if folder is not None:
        path = find_file(folder)
        _check_config(path.with_name("config.json"), name, preset)
        digest = file_digest(path)
        if preset.hub is None:
            return path, WeightsSource("risbook", str(path), digest)
        is_published = digest == preset.hub.sha256
        source = f"{preset.hub}, from {path}" if is_published else str(path)
        return path, WeightsSource("published", source, digest)
    assert preset.hub is not None, "without a hub file, weights are shipped or named"
    path = fetch(preset.hub)
    digest = file_digest(path)
    if preset.hub.sha256 and digest != preset.hub.sha256:
        raise DataError(
            f"{path}: its sha256 begins with {digest[:8]}, not {preset.hub.sha256[:8]}: it is "
            "damaged or another file; delete it to have it downloaded again"
        )
    commit = _commit(path) or preset.hub.revision
    return path, WeightsSource("published", f"{preset.hub.repo}@{commit[:8]}", digest)


def local_folder(name: str, weights: str | Path) -> Path | None:
    """The file or folder of a tower's weights, if the user named one.

    Args:
        name: the tower's name.
        weights: "auto": below the folder that RISBOOK_WEIGHTS names; "hub": nowhere; or a file or
            folder. A folder may hold one folder per tower or pair.

    Raises:
        RisbookError: if there is no such file or folder.
    """
    pair = name.removesuffix("-image").removesuffix("-text")
    if str(weights) in ("auto", "hub"):
        variable = os.environ.get(FOLDER_VARIABLE, "") if str(weights) == "auto" else ""
        if not variable:
            return None
        folders = [Path(variable) / name, Path(variable) / pair]
        return next((folder for folder in folders if folder.is_dir()), None)
    path = Path(weights)
    if not path.exists():
        raise RisbookError(
            f"weights={str(weights)!r}: there is no such file or folder; weights are 'auto', "
            "'hub', 'random', or the path of a file or folder"
        )
    folders = [path / name, path / pair]
    return next((folder for folder in folders if folder.is_dir()), path)


def cached(hub: HubFile) -> Path | None:
    """The file in the hub client's cache, or None; makes no request."""
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(hub.repo, hub.file, revision=hub.revision)
    return Path(path) if isinstance(path, str) else None


def fetch(hub: HubFile) -> Path:
    """The file, from the cache or downloaded into it.

    Raises:
        RisbookError: if it is neither in the cache nor available; the message says what to do.
        DataError: if it is not of the revision that the table pins.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    path = cached(hub)
    if path is None:
        wanted, help_line = f"{hub.repo}/{hub.file} at {hub.revision[:8]}", _offline_help(hub.file)
        offline = f"{wanted} is not on this machine, and the hub is not reachable; {help_line}"
        if not hub_in_reach():
            raise RisbookError(offline)
        try:
            path = Path(hf_hub_download(hub.repo, hub.file, revision=hub.revision))
        except LocalEntryNotFoundError as error:
            raise RisbookError(offline) from error
        except (RepositoryNotFoundError, RevisionNotFoundError, EntryNotFoundError) as error:
            raise RisbookError(f"the hub has no {wanted} (any more); {help_line}") from error
        except (HfHubHTTPError, OSError) as error:
            reason = next(iter(str(error).strip().splitlines()), "no answer")
            raise RisbookError(
                f"{wanted} could not be downloaded ({reason}); {help_line}"
            ) from error
    if hub.pinned and _commit(path) != hub.revision:
        raise DataError(f"{path}: not of revision {hub.revision}, which is pinned for {hub.repo}")
    return path


def hub_in_reach(*, timeout: float = 5.0) -> bool:
    """Whether the hub's address answers; the client itself would try for half a minute.

    Args:
        timeout: seconds to wait.

    Returns:
        True also behind a proxy, since only the client can test the way through it.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    address = urlsplit(constants.ENDPOINT)
    host = address.hostname or ""
    proxy = getproxies().get(address.scheme) or getproxies().get("all")
    if proxy and not proxy_bypass(host):
        return True
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        with socket.create_connection((host, port), timeout=timeout):
            return True
    except OSError:
        return False


def _commit(path: Path) -> str:
    # a file of the cache lies in a folder that is named by its commit
    parts = path.parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts[:-1] else ""


def _offline_help(file: str) -> str:
    # random weights do not replace a vocabulary
    last = "" if file == "tokenizer.json" else " or weights='random'"
    return (
        "connect to the network once, then it stays in the cache; or point weights= or "
        f"{FOLDER_VARIABLE} to a folder that holds {file}, or use a mini tower{last}"
    )


def _check_config(path: Path, name: str, preset: TowerPreset) -> None:
    """Refuse a folder that risbook wrote for another tower or architecture."""
    if not path.is_file():
        return
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a JSON file ({error})") from error
    if not isinstance(values, dict) or "tower" not in values:
        return  # a configuration of another library
    if values["tower"] != name:
        raise DataError(f"{path}: these are the weights of {values['tower']}, not of {name}")
    arch = values.get("arch", values.get("geometry"))
    if not isinstance(arch, dict):
        raise DataError(f"{path}: its arch has to be an object of names and sizes")
    written = {
        key if key in preset.arch else _OLD_KEYS.get(key, key): value for key, value in arch.items()
    }
    for key, value in preset.arch.items():
        stored = tuple(written[key]) if isinstance(written.get(key), list) else written.get(key)
        # the choice of returned maps does not change the weights
        if key != "out_indices" and stored != value:
            raise DataError(f"{path}: {key} is {stored} here, and {value} in {name}")
