"""Ctrl-C and SIGTERM during a run: the current step is finished and saved first."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from risbook.errors import StoppedError


class StopSignals:
    """Turns SIGINT and SIGTERM into `StoppedError`, between two steps only.

    A second Ctrl-C stops at once; the last saved state stays. Python allows handlers in the main
    thread only, and a signal that the process was told to ignore (`nohup`) stays ignored.

    Args:
        between_steps: raise at the end of the current step. False only records the signal in
            `signum`: several processes must stop together, because each waits for the others.
    """

    def __init__(self, *, between_steps: bool = True) -> None:
        #: number of the received signal, 0 without one
        self.signum = 0
        self._immediate = between_steps
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
        if self._immediate and not self._deferred:
            raise StoppedError("stopped", self.signum)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """A part of the run that a signal stops at its end only."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
        if self._immediate and self.signum:
            raise StoppedError("stopped", self.signum)

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """The last part, in which the state is saved; only a second Ctrl-C interrupts it."""
        self._immediate = False
        yield
