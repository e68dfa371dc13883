"""The log of a run: one JSON object per line, written as the run goes, read by the figures.

Rows of kind "step" hold step, loss and the other named losses (means since the last row), lr (of
the default group of parameters) and seconds. A system's rows hold epoch as well, see
`risbook.training.TrainingConfig`. Rows of kind "evaluation" hold step, set, split, mIoU,
oIoU and count (of expressions).
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from risbook.errors import DataError
from risbook.files import write_atomically, write_error

#: what a row of kind "step" holds beside the losses
STEP_COLUMNS = ("kind", "step", "epoch", "lr", "seconds")


def read_log(path: Path) -> list[dict[str, Any]]:
    """Read a log; an incomplete last line, left by a killed process, is ignored.

    Raises:
        DataError: if the file is missing or is not text, or if a line before the last is not a row.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no log here")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except ValueError as error:
        raise DataError(f"{path}: not a log ({error})") from error
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(_row(line))
        except (ValueError, RecursionError) as error:
            if number == len(lines):
                break
            raise DataError(f"{path}, line {number}: not a row of a log ({error})") from error
    return rows


def _row(line: str) -> dict[str, Any]:
    row = json.loads(line)
    if not isinstance(row, dict):
        raise ValueError("no JSON object")
    step = row.get("step")
    if not isinstance(step, int) or step < 0:
        raise ValueError("'step' has to be a whole number")
    return row


class RunLog:
    """The log of a run that is under way: rows are appended to a file.

    Args:
        path: where the log is, or will be.
        resumed_at: step that a resumed run starts from. Rows of later steps, which the killed
            process wrote after its last checkpoint, are removed. Evaluations at that step are
            removed too, because the resumed run repeats them. 0 starts a new log.
    """

    def __init__(self, path: Path, *, resumed_at: int = 0) -> None:
        def is_kept(row: dict[str, Any]) -> bool:
            if row.get("kind") == "evaluation":
                return bool(row["step"] < resumed_at)
            return bool(row["step"] <= resumed_at)

        rows = read_log(path) if resumed_at and path.is_file() else []
        with write_atomically(path) as temporary:
            text = "".join(json.dumps(row) + "\n" for row in rows if is_kept(row))
            temporary.write_text(text, encoding="utf-8")
        self._path = path
        self._file = path.open("a", encoding="utf-8")

    def write(self, **row: Any) -> None:
        """Append one row; it is in the file when this returns.

        Raises:
            RisbookError: if the disk is full; `read_log` ignores the incomplete last line.
        """
        try:
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()
        except OSError as error:
            raise write_error(self._path, error) from error

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):  # write() has already reported this row
            self._file.close()
