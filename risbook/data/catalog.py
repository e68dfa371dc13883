"""Open a referring dataset by name or by folder, with its images and masks.

A name is one of three kinds: the real sets ("refcoco", "refcoco+", "refcocog"), which lie under
a folder of your own, the drawn sets ("refscenes", "refscenes+", "refscenesg", "refscenes-unseen"),
which risbook draws on first use, and their small samples ("refscenes-sample" and so on), which come
with the package. Anything else is taken for the path of a folder with ``instances.json``.
"""

import difflib
from contextlib import suppress
from pathlib import Path

from risbook.data.counts import check_counts, is_full_release
from risbook.data.dataset import ReferData
from risbook.data.expressions import ExpressionTable
from risbook.data.hf_rows import open_hf_rows
from risbook.data.instances import read_instances
from risbook.data.refer import default_partition, read_refer
from risbook.errors import ArgumentError, DataError, warn_user
from risbook.refscenes.manifest import digests_of_world

REAL_NAMES = ("refcoco", "refcoco+", "refcocog")
REFSCENES_NAMES = ("refscenes", "refscenes+", "refscenesg", "refscenes-unseen")
SAMPLE_NAMES = tuple(f"{name}-sample" for name in REFSCENES_NAMES)
NAMES = (*REFSCENES_NAMES, *SAMPLE_NAMES, *REAL_NAMES)

#: In front of the path of a file with rows of Hugging Face.
HF_PREFIX = "hf:"

#: drawn set -> the drawn world that holds it, and the world of its sample
WORLDS = dict.fromkeys(REFSCENES_NAMES, ("standard", "sample")) | {
    "refscenes-unseen": ("unseen", "unseen-sample")
}

#: Where images lie below the folder that holds the dataset folders.
IMAGE_FOLDERS = ("images/mscoco/images/train2014", "images/train2014", "images")


def list_datasets() -> dict[str, str]:
    """Names that `load` takes, with a line on each; folders and rows of Hugging Face are others."""
    refscenes = dict.fromkeys(
        REFSCENES_NAMES, "drawn scenes in RefCOCO's format, made at first use"
    )
    samples = dict.fromkeys(SAMPLE_NAMES, "a few drawn scenes that come with the package")
    refscenes["refscenes-unseen"] = (
        "drawn at first use; test_unseen refers to kinds that train never shows"
    )
    return (
        refscenes | samples | dict.fromkeys(REAL_NAMES, "COCO photographs; root= names your folder")
    )


def open_data(
    name: str | Path,
    *,
    partition: str | None = None,
    images: str | Path | None = None,
    root: str | Path | None = None,
    scale: int = 1,
) -> ReferData:
    """Open a dataset by name or by folder.

    Args:
        name: "refcoco", "refcoco+" or "refcocog" (with root); "refscenes", "refscenes+",
            "refscenesg" or "refscenes-unseen", drawn on first use; one of these with "-sample"
            behind it; "hf:rows.parquet" (or .jsonl, .json), rows of Hugging Face, see `hf_rows`; or
            a folder that holds ``instances.json``.
        partition: which way of cutting into splits, "unc", "google" or "umd"; see `read_refer`.
        images: folder of the images. Without it they are searched for in
            images/mscoco/images/train2014, images/train2014 and images, beside the dataset's
            folder or in it.
        root: for real sets, the folder that holds the unpacked ``refcoco``, ``refcoco+`` and
            ``refcocog``.
        scale: 2, 3 or 4 renders images and masks of a drawn set at so many times their size, for
            figures; objects, ids, splits and text are the same.

    Returns:
        The dataset. Images and masks are decoded, or rendered, on demand.

    Raises:
        ArgumentError: there is no such scale, or the set is not drawn and has one size only.
        DataError: there is no such name or folder, or a file of it is malformed.
    """
    name = _with_home(name)
    root = None if root is None else Path(_with_home(root))
    images = None if images is None else Path(_with_home(images))
    if not isinstance(name, str | Path):
        raise DataError(
            f"the name of the dataset is a {type(name).__name__}; give a name such as 'refscenes', "
            "or the path of a folder that holds instances.json"
        )
    if images is not None and not images.is_dir():
        raise DataError(f"images={str(images)!r}: there is no such folder")
    if str(name).startswith(HF_PREFIX):
        path = _with_home(str(name).removeprefix(HF_PREFIX))
        if scale != 1:
            raise ArgumentError(f"scale={scale!r}: only drawn sets have other sizes; leave it out")
        return open_hf_rows(path, partition=partition, images=images, name=str(name))
    folder = _dataset_folder(name, root)
    if images is not None:
        image_folders: tuple[Path, ...] = (images,)
    else:
        image_folders = tuple(
            base / part for base in (folder.parent, folder) for part in IMAGE_FOLDERS
        )
    instances = read_instances(folder)
    partition = partition or default_partition(folder)
    table = read_refer(folder, partition=partition, instances=instances)
    _warn_of_counts(table, folder.name, partition)
    data = ReferData(
        name=str(name) if str(name) in NAMES else folder.name,
        folder=folder,
        partition=partition,
        expressions=table,
        instances=instances,
        image_folders=image_folders,
        digests=digests_of_world(folder.parent),
    )
    if scale == 1 and scale is not True:
        return data
    # Drawing needs more of the package than reading does, so it is loaded on demand.
    from risbook.data.scaled_dataset import scale_dataset

    return scale_dataset(data, scale)


def separate_split(name: str | Path, split: str | None = None) -> tuple[str | Path, str | None]:
    """Separate a text such as "refscenes:val" into the name of the set and that of the split.

    Args:
        name: a name or folder, with or without a split behind a colon.
        split: a split that is given beside it.

    Raises:
        ArgumentError: a split is given twice.

    >>> separate_split("refscenes:val"), separate_split("hf:rows.parquet")
    (('refscenes', 'val'), ('hf:rows.parquet', None))
    """
    outer, _, named = str(name).rpartition(":")
    # Colons also stand in "hf:rows.parquet", in paths, and behind a drive of Windows.
    if outer in ("", "hf") or not named.isidentifier() or Path(name).exists():
        return name, split
    if split is not None:
        raise ArgumentError(f"the split is given twice, in {name!r} and as {split!r}; give one")
    return outer, named


def _warn_of_counts(table: ExpressionTable, dataset: str, partition: str) -> None:
    """Warn where a whole released set does not hold what was published of it."""
    if not is_full_release(table, dataset=dataset, partition=partition):
        return
    wrong = [c.split for c in check_counts(table, dataset=dataset, partition=partition) if not c.ok]
    if wrong:
        warn_user(
            f"{dataset} ({partition}): {', '.join(wrong)} differ from the published counts; "
            f"`risbook data counts` shows them"
        )


def _dataset_folder(name: str | Path, root: Path | None) -> Path:
    """Find the folder that holds the dataset's ``instances.json``."""
    if isinstance(name, str) and name in NAMES:
        if name in REAL_NAMES or root is not None:
            return _folder_in_root(name, root)
        # Drawing needs more of the package than reading does, so it is loaded on demand.
        from risbook import refscenes

        drawn_set = name.removesuffix("-sample")
        world, sample = WORLDS[drawn_set]
        if name in SAMPLE_NAMES:
            return Path(refscenes.sample_folder(sample)) / drawn_set
        return Path(refscenes.world_folder(world)) / drawn_set
    folder = Path(name)
    if (folder / "instances.json").is_file():
        return folder
    if not folder.is_dir():
        close = difflib.get_close_matches(str(name).lower(), NAMES, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise DataError(
            f"there is no dataset or folder {str(name)!r}; {hint}names are: {', '.join(NAMES)}"
        )
    below = sorted(path.parent.name for path in folder.glob("*/instances.json"))
    hint = f"; choose one of its folders: {', '.join(below)}" if below else ""
    raise DataError(f"{folder}: holds no instances.json{hint}")


def _with_home(path: str | Path) -> str | Path:
    """Replace a leading ``~`` by the home folder, where there is one."""
    if str(path).startswith("~"):
        with suppress(RuntimeError):
            return Path(path).expanduser()
    return path


def _folder_in_root(name: str, root: Path | None) -> Path:
    if root is None:
        raise DataError(
            f"{name!r} is a real dataset: name the folder that holds its instances.json, "
            f"for instance data/{name}, or in Python root= the folder above it"
        )
    folder = root / name.removesuffix("-sample")
    # People also name the dataset's own folder.
    candidates = [folder, root] if root.name == folder.name else [folder]
    for candidate in candidates:
        if (candidate / "instances.json").is_file():
            return candidate
    raise DataError(f"{folder}: holds no instances.json; unpack {folder.name} into {root}")
