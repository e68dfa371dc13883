"""The folder of a run: one process trains in it, and files of another run are not overwritten."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from risbook.errors import RisbookError, warn_user
from risbook.files import write_json

#: what a run writes, beside the file of its configuration
STATE_FILE = "progress.pt"
LOG_FILE = "log.jsonl"
RUN_FILES = (STATE_FILE, LOG_FILE, "config.json", "model.safetensors", "tokenizer.json")
LOCK_FILE = ".run.lock"

#: Takes the configuration file of the recorded run, returns the names of the fields that differ.
Differences = Callable[[Path], Sequence[str]]


class RunFolder:
    """A folder that holds one run.

    Args:
        path: the folder; it need not exist yet.
        config_file: name of the file with the run's configuration. It is written before the
            first step, so a folder without it holds no run.
    """

    def __init__(self, path: Path, *, config_file: str = "training.json") -> None:
        self.path = path
        self.config_file = path / config_file
        self.state_file = path / STATE_FILE
        self.log_file = path / LOG_FILE
        # The operating system frees this lock when it kills the process; a marker file would stay.
        self._lock = FileLock(path / LOCK_FILE, timeout=0)

    def check(self, differences: Differences, *, resume: bool) -> None:
        """Refuse to mix two runs in one folder, or to replace a checkpoint.

        Without `resume` the folder must be free.

        Raises:
            RisbookError: says which file or which fields are in the way.
        """
        if not resume:
            self.check_free()
            return
        if not self.config_file.is_file():
            raise RisbookError(
                f"{self.config_file}: no run to resume here; start one without resume"
            )
        if different := differences(self.config_file):
            raise RisbookError(
                f"{self.config_file}: that run had another {', '.join(different)}; "
                "resume with its own configuration or train into another folder"
            )

    def begin(self, config: Mapping[str, Any], differences: Differences, *, resume: bool) -> None:
        """Lock the folder, check it again, and write the configuration as JSON."""
        self.lock()
        self.check(differences, resume=resume)  # another run may have started in the meantime
        self.remove_leftovers()
        write_json(self.config_file, config)

    def check_free(self) -> None:
        """Refuse a folder that holds a run, a checkpoint or a part of one.

        Raises:
            RisbookError: names the file.
        """
        if self.config_file.exists():
            raise RisbookError(
                f"{self.path} already holds a run; continue it with resume, or name another folder"
            )
        for name in RUN_FILES:
            if (self.path / name).exists():
                raise RisbookError(
                    f"{self.path / name} is there already, and a new run would replace it; "
                    "name another folder"
                )

    def check_idle(self) -> None:
        """Refuse a folder in which another process trains, before the slow preparations.

        Raises:
            RisbookError: if another process trains there.
        """
        if (self.path / LOCK_FILE).exists():
            self.lock()

    def lock(self) -> None:
        """Make the folder, and keep other processes from training in it.

        A file system without locks gives a warning, not an error.

        Raises:
            RisbookError: if another process trains there.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        if self._lock.is_locked:
            return
        try:
            self._lock.acquire()
        except Timeout:
            raise RisbookError(
                f"{self.path}: another process is training here; wait for it, stop it, or name "
                "another folder"
            ) from None
        except (OSError, NotImplementedError) as error:
            warn_user(
                f"{self.path}: this file system has no locks ({error}); make sure that no "
                "second run writes here"
            )

    def unlock(self) -> None:
        """Let other processes train here."""
        self._lock.release()

    def remove_leftovers(self) -> None:
        """Delete the half-written files of a killed process; every other file stays."""
        names = "|".join(re.escape(name) for name in (*RUN_FILES, self.config_file.name))
        leftover = re.compile(rf"\.({names})\.\d+\.tmp")
        for entry in self.path.iterdir():
            if leftover.fullmatch(entry.name):
                entry.unlink()
