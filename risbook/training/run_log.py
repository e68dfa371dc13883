"""The log of a run: one JSON object a line, written as the run goes, read by the figures.

Rows of kind "step" hold step, epoch, loss (mean since the last row), lr (of all but the Bridgers,
if those have one of their own) and seconds; rows of kind "validation" hold step, set, split, mIoU,
oIoU and count.
"""

import json
from pathlib import Path
from typing import Any

from risbook.errors import DataError
from risbook.files import write_atomically


def read_log(path: Path) -> list[dict[str, Any]]:
    """Read a log; a torn last line, left by a process that was killed, is passed over.

    Raises:
        DataError: if the file is missing, or a line before the last is no JSON object.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no log here")
    rows = []
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("no object")
            rows.append(row)
        except ValueError as error:
            if number == len(lines):
                break
            raise DataError(f"{path}, line {number}: not a JSON object") from error
    return rows


def _stays(row: dict[str, Any], resumed_at: int) -> bool:
    again = row["kind"] == "validation" and row["step"] == resumed_at
    return bool(row["step"] <= resumed_at) and not again


class Log:
    """Appends rows to a file.

    Args:
        path: the file.
        resumed_at: step that a resumed run starts from; rows of later steps, which the killed
            process had written after its last checkpoint, are taken out, and so are validations
            at that step, which are done again. 0 starts a new log.
    """

    def __init__(self, path: Path, *, resumed_at: int = 0) -> None:
        kept = []
        if resumed_at and path.is_file():
            kept = [row for row in read_log(path) if _stays(row, resumed_at)]
        with write_atomically(path) as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
        self._file = path.open("a", encoding="utf-8")

    def write(self, **row: Any) -> None:
        """Append one row; it is in the file when this returns."""
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
