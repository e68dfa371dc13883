"""A folder that appears under its name only when it is complete."""

import glob
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # not on Windows: there, leftovers of a killed process stay
    fcntl = None  # type: ignore[assignment]

_SUFFIX = ".partial"
#: A folder this young may be one whose process has not locked it yet, seconds.
_GRACE = 60.0


@contextmanager
def partial_folder(root: Path) -> Iterator[Path]:
    """Hand out a temporary folder beside `root`, which the caller fills and renames.

    The process holds a lock on it. The system releases the lock when the process ends, however it
    ends, so that the next call knows which folders were left behind, and removes them.
    """
    root.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(root)
    folder = Path(tempfile.mkdtemp(prefix=f".{root.name}-", suffix=_SUFFIX, dir=root.parent))
    lock = _lock(folder)
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _remove_leftovers(root: Path) -> None:
    for folder in root.parent.glob(f".{glob.escape(root.name)}-*{_SUFFIX}"):
        if not folder.is_dir() or time.time() - folder.stat().st_mtime < _GRACE:
            continue
        lock = _lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder; None where another process holds the lock or the system has none."""
    if fcntl is None:
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
