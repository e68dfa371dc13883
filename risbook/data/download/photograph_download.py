"""COCO's photographs, one file each, from many connections at once.

The three sets need 20,000 to 26,000 of the 82,783 photographs of train2014, and their evaluation
splits 3,000 to 4,000. The whole archive has 13.5 GB, so only what is needed is fetched.
"""

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path

from risbook.data.dataset import COCO_FILE_NAMES, ReferData
from risbook.data.download.http_files import PATIENT, Retries, get_bytes
from risbook.data.images import decode_image, read_image
from risbook.data.instances import ImageRecord
from risbook.errors import DataError, RisbookError
from risbook.files import write_atomically, write_error
from risbook.progress_bar import progress_bar

URL = "http://images.cocodataset.org/train2014/{}"
CONNECTIONS = 16
#: average of train2014: 13,510,573,713 bytes in 82,783 files
BYTES_PER_PHOTOGRAPH = 163_000


def list_photographs(data: ReferData, splits: Sequence[str]) -> list[ImageRecord]:
    """The photographs that expressions refer to, each once, in the order of their ids.

    Args:
        data: a set.
        splits: of the set.

    Raises:
        DataError: the set has no such split.
    """
    ids = {expression.image_id for split in splits for expression in data.expressions.split(split)}
    return [data.instances.images[image_id] for image_id in sorted(ids)]


def missing_photographs(records: Iterable[ImageRecord], folder: Path) -> list[ImageRecord]:
    """The photographs that are not in a folder, under the names of train2014 or train2017."""
    return [record for record in records if _find(record, folder) is None]


def broken_photographs(records: Iterable[ImageRecord], folder: Path) -> list[Path]:
    """The files of a folder that cannot be decoded or have another size; 4 ms per photograph."""
    with ThreadPoolExecutor() as pool:
        paths = pool.map(partial(_broken_file, folder=folder), records)
        return [path for path in paths if path is not None]


def download_photographs(
    records: Sequence[ImageRecord],
    folder: Path,
    *,
    url: str = URL,
    connections: int = CONNECTIONS,
    retries: Retries = PATIENT,
) -> int:
    """Download the photographs that are missing; a file counts once it was decoded.

    Args:
        records: photographs with the sizes that the annotations give them.
        folder: of the files; created if it does not exist.
        url: address of a photograph, with ``{}`` for its name.
        connections: at once.
        retries: how long a connection waits, and how often a photograph is tried.

    Returns:
        How many were downloaded.

    Raises:
        RisbookError: some could not be downloaded, or the disk is full. What has been downloaded
            stays, so the same call goes on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = missing_photographs(records, folder)
    stop = threading.Event()
    failures: list[str] = []

    def fetch(record: ImageRecord) -> None:
        name = COCO_FILE_NAMES[0].format(record.image_id)
        size = (record.height, record.width)

        def check(content: bytes) -> None:
            decode_image(content, name=name, size=size)

        content = get_bytes(url.format(name), check, stop=stop, retries=retries)
        try:
            with write_atomically(folder / name) as temporary:
                temporary.write_bytes(content)
        except OSError as error:
            raise write_error(folder / name, error) from error

    bar = progress_bar(total=len(missing), desc="photographs", unit="file")
    with bar, ThreadPoolExecutor(connections) as pool:
        try:
            futures = [pool.submit(fetch, record) for record in missing]
            for future in as_completed(futures):
                error = future.exception()
                if error is None:
                    bar.update()
                elif isinstance(error, RisbookError):
                    failures.append(str(error))
                else:
                    raise error
        finally:  # Ctrl-C as well: what waits is dropped, what runs ends
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
    if failures:
        raise RisbookError(
            f"{len(failures):,} of {len(missing):,} photographs could not be downloaded "
            f"(the first: {failures[0]}); the same command again goes on with those"
        )
    return len(missing)


def _find(record: ImageRecord, folder: Path) -> Path | None:
    paths = (folder / name.format(record.image_id) for name in COCO_FILE_NAMES)
    return next((path for path in paths if path.is_file()), None)


def _broken_file(record: ImageRecord, folder: Path) -> Path | None:
    path = _find(record, folder)
    try:
        if path is not None:
            read_image(path, size=(record.height, record.width))
    except DataError:
        return path
    return None
