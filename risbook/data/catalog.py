"""Open a referring dataset by name or by folder, with its pictures and masks.

Three kinds of name are known: the real sets ("refcoco", "refcoco+", "refcocog"), which lie under
a folder of your own, the drawn sets ("refscenes", "refscenes+", "refscenesg"), which risbook
paints on first use, and their small samples ("refscenes-sample" and so on), which come with the
package. Anything else is taken for the path of a folder with ``instances.json``.
"""

import warnings
from pathlib import Path

from risbook.data.counts import check_counts, is_full_release
from risbook.data.dataset import ReferData
from risbook.data.expressions import ExpressionTable
from risbook.data.instances import read_instances
from risbook.data.refer import default_partition, read_refer
from risbook.errors import DataError

__all__ = ["ReferData", "open_data"]

REAL_NAMES = ("refcoco", "refcoco+", "refcocog")
REFSCENES_NAMES = ("refscenes", "refscenes+", "refscenesg")
SAMPLE_NAMES = tuple(f"{name}-sample" for name in REFSCENES_NAMES)

#: Size of the drawn world that the drawn names stand for.
WORLD_SIZE = "standard"

#: Where pictures are looked for below the folder that holds the dataset folders.
IMAGE_FOLDERS = ("images/mscoco/images/train2014", "images/train2014", "images")


def open_data(
    name: str | Path,
    *,
    partition: str | None = None,
    images: str | Path | None = None,
    root: str | Path | None = None,
) -> ReferData:
    """Open a dataset by name or by folder.

    Args:
        name: "refcoco", "refcoco+" or "refcocog" (with root); "refscenes", "refscenes+" or
            "refscenesg", painted on first use; one of these with "-sample" behind it; or a
            folder that holds ``instances.json``.
        partition: which way of cutting into splits, "unc", "google" or "umd"; see `read_refer`.
        images: folder of the pictures. Without it they are looked for in
            images/mscoco/images/train2014, images/train2014 and images, beside the dataset's
            folder or in it.
        root: for real sets, the folder that holds the unpacked ``refcoco``, ``refcoco+`` and
            ``refcocog``.

    Returns:
        The dataset. Pictures and masks are decoded when they are asked for.

    Raises:
        DataError: there is no such name or folder, or a file of it is malformed.
    """
    folder = _dataset_folder(name, None if root is None else Path(root))
    if images is not None:
        if not Path(images).is_dir():
            raise DataError(f"images={str(images)!r}: there is no such folder")
        image_folders: tuple[Path, ...] = (Path(images),)
    else:
        image_folders = tuple(
            base / part for base in (folder.parent, folder) for part in IMAGE_FOLDERS
        )
    instances = read_instances(folder)
    partition = partition or default_partition(folder)
    table = read_refer(folder, partition=partition, instances=instances)
    _warn_of_counts(table, folder.name, partition)
    return ReferData(
        name=str(name) if str(name) in _names() else folder.name,
        folder=folder,
        partition=partition,
        expressions=table,
        instances=instances,
        image_folders=image_folders,
    )


def _warn_of_counts(table: ExpressionTable, dataset: str, partition: str) -> None:
    """Warn where a whole released set does not hold what was published of it."""
    if not is_full_release(table, dataset=dataset):
        return
    wrong = [c.split for c in check_counts(table, dataset=dataset, partition=partition) if not c.ok]
    if wrong:
        warnings.warn(
            f"{dataset} ({partition}): {', '.join(wrong)} differ from the published counts; "
            f"`risbook data counts` shows them",
            stacklevel=3,
        )


def _names() -> tuple[str, ...]:
    return (*REFSCENES_NAMES, *SAMPLE_NAMES, *REAL_NAMES)


def _dataset_folder(name: str | Path, root: Path | None) -> Path:
    """Find the folder that holds the dataset's ``instances.json``."""
    if isinstance(name, str) and name in _names():
        if name in REAL_NAMES or root is not None:
            return _below(_real_root(name, root), name.removesuffix("-sample"))
        # Painting needs more of the package than reading does, so it is loaded on demand.
        from risbook import refscenes

        if name in SAMPLE_NAMES:
            return _below(Path(refscenes.sample_folder()), name.removesuffix("-sample"))
        return _below(Path(refscenes.world_folder(WORLD_SIZE)), name)
    folder = Path(name)
    if (folder / "instances.json").is_file():
        return folder
    if not folder.is_dir():
        raise DataError(
            f"there is no dataset or folder {str(name)!r}; names are: {', '.join(_names())}"
        )
    below = sorted(path.parent.name for path in folder.glob("*/instances.json"))
    hint = f"; choose one of its folders: {', '.join(below)}" if below else ""
    raise DataError(f"{folder}: holds no instances.json{hint}")


def _real_root(name: str, root: Path | None) -> Path:
    if root is None:
        raise DataError(
            f"{name!r} is a real dataset: name the folder that holds its instances.json, "
            f"for instance data/{name}, or in Python root= the folder above it"
        )
    return root


def _below(root: Path, name: str) -> Path:
    folder = root / name
    if not (folder / "instances.json").is_file():
        raise DataError(f"{folder}: holds no instances.json; unpack {name} into {root}")
    return folder
