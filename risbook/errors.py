"""The one kind of exception that is meant to be read by the person at the keyboard."""


class RisbookError(Exception):
    """A mistake that the user can mend: says what was wrong, where, and what to do.

    The command line prints its message as one line and exits with code 2; any other exception
    is a defect of risbook and keeps its traceback.
    """


class DataError(RisbookError):
    """A data file, record, mask or image is missing or malformed."""


class TrainingDivergedError(RisbookError):
    """The loss stopped being a finite number."""


class StoppedError(KeyboardInterrupt):
    """The process was asked to stop by a signal; says how far it came and how it goes on.

    Args:
        message: for the person at the keyboard.
        signum: the signal.
    """

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.signum = signum

    @property
    def exit_code(self) -> int:
        """What shells report of a process that a signal ended."""
        return 128 + self.signum
