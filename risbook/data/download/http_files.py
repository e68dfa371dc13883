"""One file over HTTP: tried again after a failure, continued after an interruption."""

import http.client
import random
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from risbook.errors import DataError, RisbookError
from risbook.files import write_error

Result = TypeVar("Result")

#: seconds without a byte after which a connection is given up
TIMEOUT = 30.0
ATTEMPTS = 6
#: seconds of the first pause, doubled after every further failure
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
#: answers after which nothing changes by trying again
_FINAL = (400, 401, 404, 405, 410)
_CHUNK = 1 << 18


def get_bytes(
    url: str,
    check: Callable[[bytes], None],
    *,
    stop: threading.Event,
    timeout: float = TIMEOUT,
    attempts: int = ATTEMPTS,
    first_pause: float = FIRST_PAUSE,
) -> bytes:
    """Get a small file.

    Args:
        url: where it is.
        check: raises a DataError for content that is truncated or damaged; then it is fetched
            again.
        stop: set by another thread to end the pauses between attempts.
        timeout: seconds without a byte.
        attempts: before it is given up.
        first_pause: seconds, doubled after every further failure; a server that names a pause is
            given that one.

    Raises:
        RisbookError: if every attempt failed; tells the reason of the last.
    """

    def attempt() -> bytes:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            content: bytes = answer.read()
        check(content)
        return content

    return _repeat(url, attempt, stop=stop, attempts=attempts, first_pause=first_pause)


def download_file(
    url: str,
    path: Path,
    *,
    on_bytes: Callable[[int], object] = lambda count: None,
    timeout: float = TIMEOUT,
    attempts: int = ATTEMPTS,
    first_pause: float = FIRST_PAUSE,
) -> None:
    """Download a large file; what arrived before an interruption is kept and not fetched again.

    Args:
        url: where it is.
        path: where it goes. Until it is whole, the content lies beside it in ``NAME.part``.
        on_bytes: called with the number of bytes that have arrived since the last call.
        timeout: as in `get_bytes`, like the others.
        attempts: before it is given up.
        first_pause: seconds.

    Raises:
        RisbookError: if every attempt failed, or the disk is full.
    """
    part = path.with_name(f"{path.name}.part")

    def attempt() -> None:
        start = part.stat().st_size if part.exists() else 0
        headers = {"Range": f"bytes={start}-"} if start else {}
        request = urllib.request.Request(url, headers=headers)
        try:
            answer = urllib.request.urlopen(request, timeout=timeout)
        except urllib.error.HTTPError as error:
            if error.code == 416:  # nothing is left to send, or the file there is another one
                part.unlink()
                raise ConnectionError("the server has no more of it; it starts anew") from error
            raise
        with answer:
            is_continued = answer.status == 206
            expected = answer.length
            if start and is_continued:
                on_bytes(start)
            received = _append(answer, part, keep=is_continued, on_bytes=on_bytes)
        if expected is not None and received < expected:
            raise ConnectionError(f"{received:,} of {expected:,} bytes arrived")

    _repeat(url, attempt, stop=threading.Event(), attempts=attempts, first_pause=first_pause)
    try:
        part.replace(path)
    except OSError as error:
        raise write_error(path, error) from error


def _append(answer: Any, part: Path, *, keep: bool, on_bytes: Callable[[int], object]) -> int:
    received = 0
    try:
        file = part.open("ab" if keep else "wb")
    except OSError as error:
        raise write_error(part, error) from error
    with file:
        while chunk := answer.read(_CHUNK):
            try:
                file.write(chunk)
            except OSError as error:
                raise write_error(part, error) from error
            received += len(chunk)
            on_bytes(len(chunk))
    return received


def _repeat(
    url: str,
    attempt: Callable[[], Result],
    *,
    stop: threading.Event,
    attempts: int,
    first_pause: float,
) -> Result:
    reason = "no attempt"
    for number in range(attempts):
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
        if number + 1 < attempts:
            # Many connections that fail at once shall not all come back at once.
            longest = min(first_pause * 2**number, LONGEST_PAUSE)
            if stop.wait(max(pause, longest * random.uniform(0.5, 1.0))):
                break
    raise RisbookError(f"{url}: {reason}")


def _named_pause(error: urllib.error.HTTPError) -> float:
    """Seconds that the server asks to wait, 0 if it names none."""
    seconds = error.headers.get("Retry-After", "")
    return min(float(seconds), LONGEST_PAUSE) if seconds.isdigit() else 0.0
