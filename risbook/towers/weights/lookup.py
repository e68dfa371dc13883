"""Find the weights of a tower: in the package, in a folder, in a cache, or on the hub.

Files of the hub are fetched by `huggingface_hub` at a pinned revision, or taken from its cache.
What `risbook.towers.fetch_tower` brings from a file or a package index lies in risbook's own cache.
"""

import os
from pathlib import Path

from risbook.errors import DataError, RisbookError
from risbook.files import cache_folder, read_json
from risbook.towers.presets import TowerPreset, get_tower_preset
from risbook.towers.published_files import HubFile
from risbook.towers.weights.origin import WeightsOrigin
from risbook.towers.weights.tensor_files import file_digest, find_file

#: Weights that come with the package, one folder per tower.
SHIPPED_TOWERS = Path(__file__).resolve().parents[2] / "checkpoints" / "towers"

#: An environment variable: a folder that holds weights, one folder per tower or pair of towers.
FOLDER_VARIABLE = "RISBOOK_WEIGHTS"


def find_weights(name: str, weights: str | Path) -> tuple[Path | None, WeightsOrigin]:
    """Find what `build_tower` is to load.

    Args:
        name: the tower's name.
        weights: as `build_tower` has it.

    Returns:
        The file, None for random weights, and what it is.

    Raises:
        RisbookError: if there is none, or it is not available; the message says what to do.
        DataError: if it is for another tower, or not the pinned file.
    """
    preset = get_tower_preset(name)
    hub = preset.hub
    if str(weights) == "random":
        return None, WeightsOrigin()
    if hub is None and str(weights) == "hub":
        raise RisbookError(f"{name} is not on the hub; use weights='auto', or name a folder")
    folder = local_folder(name, weights)
    is_shipped = folder == SHIPPED_TOWERS / name
    if is_shipped and not (SHIPPED_TOWERS / name / "config.json").is_file():
        raise RisbookError(
            f"{name}: its weights are not in this installation; name a folder that holds them, use "
            "weights='random', or make those of a mini tower by `risbook pretrain`"
        )
    if folder is not None:
        path = find_file(folder)
        _check_config(path.with_name("config.json"), name)
        digest = file_digest(path)
        if not preset.is_published:
            source = f"{name}, shipped" if is_shipped else str(path)
            return path, WeightsOrigin("risbook", source, digest)
        if folder == kept_folder(name) and digest != (wanted := preset.sha256 or digest):
            raise DataError(
                f"{path}: its sha256 begins with {digest[:8]}, not {wanted[:8]}: it is damaged; "
                f"`risbook towers get {name}` fetches it again"
            )
        return path, WeightsOrigin("published", _source_of_file(preset, path, digest), digest)
    if hub is None:
        assert preset.package is not None, "what is not published is shipped or in a folder"
        raise RisbookError(
            f"{name}: its weights are not on this machine; fetch them once "
            f"({preset.package.size / 1e6:.0f} MB) by `risbook towers get {name}`, or point "
            f"weights= or {FOLDER_VARIABLE} to a folder that holds them"
        )
    path = fetch(hub)
    digest = file_digest(path)
    if hub.sha256 and digest != hub.sha256:
        raise DataError(
            f"{path}: its sha256 begins with {digest[:8]}, not {hub.sha256[:8]}: it is "
            "damaged or another file; delete it to have it downloaded again"
        )
    commit = _commit(path) or hub.revision
    return path, WeightsOrigin("published", f"{hub.repo}@{commit[:8]}", digest)


def local_folder(name: str, weights: str | Path) -> Path | None:
    """The file or folder of a tower's weights, unless they are on the hub.

    Args:
        name: the tower's name.
        weights: "auto": in the package or the preset's folder, or, of a published tower, below that
            which RISBOOK_WEIGHTS names, or in `kept_folder`; "hub": nowhere; or a file or folder. A
            folder may hold one folder per tower or pair.

    Raises:
        RisbookError: if there is no such file or folder.
    """
    preset = get_tower_preset(name)
    if not preset.is_published and str(weights) == "auto":
        return preset.folder or SHIPPED_TOWERS / name
    is_path = str(weights) not in ("auto", "hub")
    if is_path and not Path(weights).exists():
        raise RisbookError(
            f"weights={str(weights)!r}: there is no such file or folder; weights are 'auto', "
            "'hub', 'random', or the path of a file or folder"
        )
    if str(weights) == "hub":
        return None
    root = str(weights) if is_path else os.environ.get(FOLDER_VARIABLE, "")
    pair = name.removesuffix("-image").removesuffix("-text")
    folders = [folder for folder in (Path(root) / name, Path(root) / pair) if folder.is_dir()]
    if root and folders:
        return folders[0]
    if is_path:
        return Path(root)
    kept = kept_folder(name)
    return kept if (kept / "config.json").is_file() else None


def kept_folder(name: str) -> Path:
    """The folder of risbook's cache in which `risbook.towers.fetch_tower` keeps a tower."""
    return cache_folder() / "towers" / name


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
    """Whether the hub answers within seconds; a download would try for half a minute."""
    from huggingface_hub import constants, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=timeout)
    except Exception:  # those of the client's HTTP library, which is not always the same
        return False
    return True


def _source_of_file(preset: TowerPreset, path: Path, digest: str) -> str:
    """What a file of a published tower is; the digest tells, and not the place."""
    if digest != preset.sha256:
        return str(path)
    return f"{preset.hub}, from {path}" if preset.package is None else preset.package.label


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


def _check_config(path: Path, name: str) -> None:
    """Refuse a folder that risbook wrote for another tower or other arguments."""
    if not path.is_file():
        return
    values = read_json(path)
    if not isinstance(values, dict) or "tower" not in values:
        return  # a configuration of another library
    if values["tower"] != name:
        raise DataError(f"{path}: these are the weights of {values['tower']}, not of {name}")
    stored = values.get("arch")
    if not isinstance(stored, dict):
        raise DataError(f"{path}: its arch has to be an object of names and sizes")
    wanted = get_tower_preset(name).arguments
    for key, value in wanted.items():
        size = tuple(stored[key]) if isinstance(stored.get(key), list) else stored.get(key)
        # the choice of returned maps does not change the weights
        if key != "out_indices" and size != value:
            raise DataError(f"{path}: {key} is {size} here, and {value} in {name}")
