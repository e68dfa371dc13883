"""Exceptions and warnings that are meant to be read by the person at the keyboard."""

import sys
import warnings

#: Characters of the longest message; paths and names fit, a file's whole content does not.
LONGEST = 2000

#: Modules whose lines no warning is attributed to: ours, and those through which we call ours.
_INNER_MODULES = ("risbook", "torch", "accelerate", "contextlib")


class RisbookError(Exception):
    """A mistake that the user can mend: says what was wrong, where, and what to do.

    The command line prints its message as one line and exits with code 2; any other exception
    is a defect of risbook and keeps its traceback.

    >>> print(RisbookError("a name from a file:" + chr(10) + chr(27) + "[31mred"))
    a name from a file: [31mred
    """

    def __str__(self) -> str:
        """One line without control characters: messages quote names from strangers' files."""
        text = " ".join(super().__str__().split())
        text = "".join(letter for letter in text if letter.isprintable())
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


class DataError(RisbookError):
    """A data file, record, mask or image is missing or malformed."""


class ArgumentError(RisbookError, ValueError):
    """An argument, a name or an option is unknown or impossible, whatever the files hold.

    It is a `ValueError` as well, so a configuration that checks its fields by a function of the
    package can say in which field the value stands.
    """


class TrainingDivergedError(RisbookError):
    """The loss stopped being a finite number."""


class StoppedError(KeyboardInterrupt):
    """The process was asked to stop by a signal; says how far it came and how it goes on.

    Args:
        message: for the person at the keyboard: how far the process came.
        signum: the signal.
        hint: how it goes on, which differs between Python and the command line.

    >>> print(StoppedError("stopped at step 3", 2, hint="continue with resume=True"))
    stopped at step 3; continue with resume=True
    """

    def __init__(self, message: str, signum: int, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.signum = signum
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message

    @property
    def exit_code(self) -> int:
        """The exit code that shells report of a process that a signal ended: 128 + its number."""
        return 128 + self.signum


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn of something at the line of the user's code that led to it.

    Python 3.12 has ``skip_file_prefixes`` for that; this works in Python 3.11, too.

    Args:
        message: one line: what is wrong, and what to do.
        category: by which the warning can be filtered.
    """
    frame, stacklevel = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] in _INNER_MODULES:
        frame, stacklevel = frame.f_back, stacklevel + 1
    warnings.warn(message, category, stacklevel=stacklevel)
