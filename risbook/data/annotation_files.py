"""Bytes and JSON of annotation files, with errors that name the file."""

import json
import stat
from pathlib import Path
from typing import Any

from risbook.errors import DataError

#: The largest annotation file of COCO has 0.45 GB; a file beyond this limit is no annotation.
MAX_BYTES = 2**30


def read_annotation_bytes(path: Path) -> bytes:
    """Read a file whole; pipes and devices, which may never end, are refused.

    Raises:
        DataError: the file is missing, no regular file, or larger than `MAX_BYTES`.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{path}: is not a regular file; put the annotation file itself there")
        if status.st_size > MAX_BYTES:
            raise DataError(
                f"{path}: has {status.st_size:,} bytes; "
                f"an annotation file has at most {MAX_BYTES:,}"
            )
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DataError: the file is missing or not JSON.
    """
    return parse_json(read_annotation_bytes(path), where=str(path))


def parse_json(text: str | bytes, *, where: str) -> Any:
    """Parse JSON.

    Raises:
        DataError: the text is not JSON; starts with `where`.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise DataError(f"{where}: is not valid JSON for annotations (nested too deeply)") from None
    except ValueError as error:
        raise DataError(f"{where}: is not valid JSON ({error})") from error
