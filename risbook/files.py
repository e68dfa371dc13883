"""Writing files so that a half-written one never counts."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Hand out a temporary path beside `path`, and put it in its place when all went well.

    A process that dies in between leaves the old file as it was. The new content is on the disk
    before the name changes.

    Args:
        path: the file to be written.

    Yields:
        The path to write to.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        # Some writers make files that only their owner can read.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document for people to read as well, whole or not at all."""
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
