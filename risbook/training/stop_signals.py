"""Ctrl-C and SIGTERM during a run: a step under way is finished first."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from risbook.errors import StoppedError


class StopSignals:
    """Turns SIGINT and SIGTERM into `StoppedError`.

    A signal inside `deferred`, where a training step is taken, raises at the end of that step. Any
    other signal raises at once, also while a batch is loaded or a split is evaluated. A second
    Ctrl-C raises `KeyboardInterrupt` at once, even inside a step; the last saved state stays.

    Python allows handlers in the main thread only. A signal that the process was told to ignore
    (`nohup`) stays ignored.

    Args:
        raises: False only records the signal in `signum`. Several processes need this: they must
            stop together, because each waits for the others.
    """

    def __init__(self, *, raises: bool = True) -> None:
        #: number of the received signal, 0 without one
        self.signum = 0
        self._raises = raises
        self._deferred = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(signum) != signal.SIG_IGN:
                    self._previous[signum] = signal.signal(signum, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self.signum and signum == signal.SIGINT:
            raise KeyboardInterrupt
        self.signum = self.signum or signum
        if self._raises and not self._deferred:
            raise StoppedError("stopped", self.signum)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """For a training step: a signal takes effect when it ends."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
        if self._raises and self.signum:
            raise StoppedError("stopped", self.signum)

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """For saving the state of a stopped run: only a second Ctrl-C interrupts it."""
        raises, self._raises = self._raises, False
        try:
            yield
        finally:
            self._raises = raises
