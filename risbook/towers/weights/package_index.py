"""Download a wheel from the index that the user's pip is configured for.

pip knows the index, its mirror, proxy and certificates, and no index is named here. It runs as a
process of its own with fixed arguments. Only a wheel is taken, because pip would run code of a
source distribution, and nothing is installed.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from risbook.errors import RisbookError
from risbook.progress_bar import progress_bar
from risbook.towers.published_files import PackageFile

#: seconds between two looks at how much has arrived
_INTERVAL = 0.2


def download_wheel(package: PackageFile, folder: Path) -> Path:
    """Download one wheel, with a progress bar, and without the packages that it depends on.

    Args:
        package: which project and version.
        folder: an empty folder; it gets the wheel, and files of pip that are not needed.

    Returns:
        The wheel, unchecked.

    Raises:
        RisbookError: if pip is missing or cannot download it; quotes pip's reason.
    """
    wheels, log = folder / "wheels", folder / "pip.log"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--quiet", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    command += ["--dest", str(wheels), f"{package.project}=={package.version}"]
    # pip keeps what has arrived so far in the folder of temporary files
    environment = {**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)}
    with log.open("wb") as output, _running(command, environment, output.fileno()) as process:
        _show_progress(process, package, folder)
    files = sorted(wheels.glob("*.whl"))
    if process.returncode or not files:
        reason = _reason(log.read_text(encoding="utf-8", errors="replace"))
        raise RisbookError(f"pip could not download {package} ({reason})")
    return files[0]


def _show_progress(process: "subprocess.Popen[bytes]", package: PackageFile, folder: Path) -> None:
    bar = progress_bar(total=package.size, desc=str(package), unit="B", unit_scale=True)
    with bar:
        while process.poll() is None:
            time.sleep(_INTERVAL)
            if not bar.disable:
                bar.update(min(_size(folder), package.size) - bar.n)


def _size(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        try:
            size += path.stat().st_size
        except OSError:  # pip has removed it meanwhile
            continue
    return size


@contextmanager
def _running(
    command: list[str], environment: dict[str, str], output: int
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that does not outlive the block, also when Ctrl-C ends it."""
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _reason(log: str) -> str:
    """The line of pip's output that says what went wrong.

    >>> _reason("WARNING: x" + chr(10) + "ERROR: no matching distribution" + chr(10))
    'no matching distribution'
    """
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["without a reason"])[-1]
