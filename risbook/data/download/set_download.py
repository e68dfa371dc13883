"""A whole set: its annotations, its photographs, and what of it is missing."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from risbook.data.catalog import HF_PREFIX, open_data
from risbook.data.dataset import ReferData
from risbook.data.download.http_files import PATIENT, Retries
from risbook.data.download.hub_rows import download_rows
from risbook.data.download.photograph_download import (
    BYTES_PER_PHOTOGRAPH,
    CONNECTIONS,
    URL,
    broken_photographs,
    download_photographs,
    list_photographs,
    missing_photographs,
)
from risbook.data.download.released_archives import download_annotations
from risbook.data.instances import ImageRecord
from risbook.errors import DataError

#: Below the folder that holds the sets; photographs are looked for there.
PHOTOGRAPHS = "images/train2014"

Images: TypeAlias = Literal["needed", "eval", "all", "none"]
Source: TypeAlias = Literal["archive", "hub"]


@dataclass(frozen=True)
class SetCheck:
    """What of a set is on this machine.

    Args:
        name: of the set.
        photographs: that its expressions refer to.
        missing: names of the files that are not there.
        broken: paths of the files that cannot be decoded or have another size.
    """

    name: str
    photographs: int
    missing: list[str]
    broken: list[str]


def download_set(
    name: str,
    root: str | Path,
    *,
    images: Images = "needed",
    source: Source = "archive",
    archive: str | Path | None = None,
    partition: str | None = None,
    report: Callable[[str], object] = print,
    url: str = URL,
    connections: int = CONNECTIONS,
    retries: Retries = PATIENT,
) -> ReferData:
    """Download a set; what is there already is not downloaded again.

    Args:
        name: "refcoco", "refcoco+" or "refcocog".
        root: the folder that gets the set and, in images/train2014, its photographs;
            all sets share it.
        images: "needed" for the photographs of all splits, "eval" for those of all splits but
            train, "all" for every photograph of ``instances.json``, "none" for the annotations
            alone.
        source: of the annotations: "archive", the released zip, or "hub", rows of Hugging Face.
        archive: the released zip, where it is on this machine.
        partition: as for `risbook.data.load`.
        report: called with a line about what will be downloaded.
        url: as for `download_photographs`.
        connections: as for `download_photographs`.
        retries: how long a connection waits, and how often a file is tried.

    Returns:
        The set, opened.

    Raises:
        RisbookError: something could not be downloaded; the same call goes on where it stopped.
        DataError: a file is not what it has to be.
    """
    root = Path(root).expanduser()
    root.mkdir(parents=True, exist_ok=True)
    if source == "hub" and archive is None:
        where = f"{HF_PREFIX}{download_rows(name, root)}"
    else:
        own = Path(archive) if archive else None
        where = str(download_annotations(name, root, archive=own, retries=retries))
    folder = root / PHOTOGRAPHS
    folder.mkdir(parents=True, exist_ok=True)
    data = open_data(where, partition=partition, images=folder)
    records = _choose_photographs(data, images)
    missing = missing_photographs(records, folder)
    if missing:
        size = len(missing) * BYTES_PER_PHOTOGRAPH
        report(
            f"{name}: {len(missing):,} of {len(records):,} photographs are missing, about "
            f"{size / 1e9:.1f} GB; at 10 MB per second that takes {_duration(size / 10e6)}"
        )
        download_photographs(missing, folder, url=url, connections=connections, retries=retries)
    return data


def _choose_photographs(data: ReferData, images: Images) -> list[ImageRecord]:
    if images == "none":
        return []
    if images == "all":
        return list(data.instances.images.values())
    splits = [split for split in data.splits if images == "needed" or split != "train"]
    return list_photographs(data, splits)


def check_set(
    name: str, root: str | Path, *, images: Images = "needed", partition: str | None = None
) -> SetCheck:
    """Decode every photograph of a set, and tell which are missing or broken.

    Args:
        name: "refcoco", "refcoco+" or "refcocog".
        root: as for `download_set`.
        images: as for `download_set`.
        partition: as for `risbook.data.load`.

    Raises:
        DataError: the annotations are missing or malformed.
    """
    root = Path(root).expanduser()
    rows = root / f"{name}-rows"
    is_released = (root / name / "instances.json").is_file()
    if not is_released and not rows.is_dir():
        raise DataError(
            f"{root}: holds no annotations of {name!r}; "
            f"`risbook data download {name} --to {root}` brings them"
        )
    folder = root / PHOTOGRAPHS
    where = str(root / name) if is_released else f"{HF_PREFIX}{rows}"
    data = open_data(where, partition=partition)
    records = _choose_photographs(data, images)
    return SetCheck(
        name,
        len(records),
        sorted(record.file_name for record in missing_photographs(records, folder)),
        sorted(str(path) for path in broken_photographs(records, folder)),
    )


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds > 90 else f"{max(1, round(seconds))} s"
