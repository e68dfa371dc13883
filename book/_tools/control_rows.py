"""The result file of a tool that records controls for a chapter, written in one way by all."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from risbook.evaluation.result_files import write_result


def write_rows(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    *,
    tool: str,
    seconds: float,
    arguments: Sequence[str] = (),
) -> None:
    """Write a result file whose suite is named after the tool.

    Args:
        path: the file; its name is that of the row.
        rows: the measured numbers.
        tool: ``__file__`` of the tool.
        seconds: processor seconds of the recording.
        arguments: of the tool, for the command that gives the numbers again.
    """
    script = Path(tool)
    about = {
        "suite": script.stem.replace("_", "-"),
        "row": path.stem,
        "precision": "no",
        "seconds": round(seconds, 1),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    command = ["python", f"book/_tools/{script.name}", *arguments]
    write_result(path, rows, command=command, about=about)
