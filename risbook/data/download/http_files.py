"""One file over HTTP: tried again after a failure, continued after an interruption."""

import http.client
import random
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from risbook.errors import DataError, RisbookError
from risbook.files import write_error

Result = TypeVar("Result")

#: answers after which nothing changes by trying again
_FINAL = (400, 401, 404, 405, 410)
_CHUNK = 1 << 18


@dataclass(frozen=True)
class Retries:
    """How long a download waits, and how often it is tried.

    Args:
        timeout: seconds without a byte after which a connection is given up.
        attempts: per file.
        first_pause: seconds before the second attempt, doubled after every further failure. A
            server that names a pause is given that one.
        longest_pause: seconds, the limit of both.
    """

    timeout: float = 30.0
    attempts: int = 6
    first_pause: float = 1.0
    longest_pause: float = 60.0


PATIENT = Retries()


def get_bytes(
    url: str,
    check: Callable[[bytes], None],
    *,
    stop: threading.Event,
    retries: Retries = PATIENT,
) -> bytes:
    """Get a small file.

    Args:
        url: where it is.
        check: raises a DataError for content that is truncated or damaged; then it is fetched
            again.
        stop: set by another thread to end the pauses between attempts.
        retries: how long and how often.

    Raises:
        RisbookError: if every attempt failed; tells the reason of the last.
    """

    def attempt() -> bytes:
        with urllib.request.urlopen(url, timeout=retries.timeout) as answer:
            content: bytes = answer.read()
        check(content)
        return content

    return _repeat(url, attempt, stop=stop, retries=retries)


def download_file(
    url: str,
    path: Path,
    *,
    on_size: Callable[[int], object] = lambda size: None,
    retries: Retries = PATIENT,
) -> None:
    """Download a large file; what arrived before an interruption is kept and not fetched again.

    Args:
        url: where it is.
        path: where it goes. Until it is whole, the content lies beside it in ``NAME.part``.
        on_size: called with the number of bytes that are here, whenever some have arrived.
        retries: how long and how often.

    Raises:
        RisbookError: if every attempt failed, or the disk is full.
    """
    part = path.with_name(f"{path.name}.part")

    def attempt() -> None:
        start = part.stat().st_size if part.exists() else 0
        headers = {"Range": f"bytes={start}-"} if start else {}
        request = urllib.request.Request(url, headers=headers)
        try:
            answer = urllib.request.urlopen(request, timeout=retries.timeout)
        except urllib.error.HTTPError as error:
            if error.code == 416:  # nothing is left to send, or the file there is another one
                part.unlink()
                raise ConnectionError("the server has no more of it; it starts anew") from error
            raise
        with answer:
            if answer.status != 206:
                start = 0
            expected = None if answer.length is None else start + answer.length
            size = _append(answer, part, start=start, on_size=on_size)
        if expected is not None and size < expected:
            raise ConnectionError(f"{size:,} of {expected:,} bytes arrived")

    _repeat(url, attempt, stop=threading.Event(), retries=retries)
    try:
        part.replace(path)
    except OSError as error:
        raise write_error(path, error) from error


def _append(answer: Any, part: Path, *, start: int, on_size: Callable[[int], object]) -> int:
    """Write what arrives behind the first `start` bytes; returns the size of the file."""
    try:
        file = part.open("ab" if start else "wb")
    except OSError as error:
        raise write_error(part, error) from error
    size = start
    with file:
        while chunk := answer.read(_CHUNK):
            try:
                file.write(chunk)
            except OSError as error:
                raise write_error(part, error) from error
            size += len(chunk)
            on_size(size)
    return size


def _repeat(
    url: str, attempt: Callable[[], Result], *, stop: threading.Event, retries: Retries
) -> Result:
    reason = "no attempt"
    for number in range(retries.attempts):
        pause = 0.0
        try:
            return attempt()
        except urllib.error.HTTPError as error:
            error.close()
            reason = f"HTTP {error.code} {error.reason}"
            if error.code in _FINAL:
                break
            pause = _named_pause(error)
        except DataError as error:
            reason = str(error)
        except (OSError, http.client.HTTPException) as error:  # timeouts and URLError among them
            reason = str(getattr(error, "reason", "") or error) or type(error).__name__
        if number + 1 < retries.attempts:
            # Many connections that fail at once shall not all come back at once.
            pause = max(pause, retries.first_pause * 2**number * random.uniform(0.5, 1.0))
            if stop.wait(min(pause, retries.longest_pause)):
                break
    raise RisbookError(f"{url}: {reason}")


def _named_pause(error: urllib.error.HTTPError) -> float:
    """Seconds that the server asks to wait, 0 if it names none."""
    seconds = error.headers.get("Retry-After", "")
    return float(seconds) if seconds.isdigit() else 0.0
