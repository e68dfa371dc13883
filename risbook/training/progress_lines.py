"""Lines about a run for the person who waits for it, made of the rows of its log.

They go to standard error, as the progress bar does, so that they do not mix with what a program
prints.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from risbook.progress_bar import bar_is_visible

#: columns of a step's row that its line leaves out or names elsewhere
_UNNAMED = ("kind", "step", "seconds")


def print_start(line: str) -> None:
    """Print what a run starts from, if there is something to say."""
    if line:
        _print_line(line)


def print_row(row: Mapping[str, Any]) -> None:
    """Print a row of the log; the losses of a step only where no progress bar shows them."""
    if row["kind"] == "evaluation" or not bar_is_visible():
        _print_line(format_row(row))


def print_end(history: Sequence[Mapping[str, Any]], folder: Path | None) -> None:
    """Print how a run ended.

    Args:
        history: the rows of its log.
        folder: of the run, None where the run leaves no files.
    """
    rows = [row for row in history if row["kind"] == "step"]
    if rows:
        end = f"; the run is in {folder}" if folder else ""
        _print_line(
            f"trained {rows[-1]['step']} steps in {rows[-1]['seconds']:.0f} s, "
            f"loss {rows[-1]['loss']:.4g}{end}"
        )


def format_row(row: Mapping[str, Any]) -> str:
    """A row of the log as a line.

    >>> format_row({"kind": "step", "step": 20, "epoch": 1.5, "loss": 0.53125, "lr": 1e-3})
    'step 20: epoch 1.5, loss 0.5312, lr 0.001'
    >>> format_row({"kind": "evaluation", "step": 20, "set": "refscenes", "split": "val",
    ...             "mIoU": 0.4125, "oIoU": 0.398, "count": 30})
    'step 20: refscenes:val, mIoU 0.4125, oIoU 0.398, 30 expressions'
    """
    if row["kind"] == "evaluation":
        values = f"{row['set']}:{row['split']}, mIoU {row['mIoU']:.4g}, oIoU {row['oIoU']:.4g}"
        return f"step {row['step']}: {values}, {row['count']} expressions"
    named = [f"{name} {value:.4g}" for name, value in row.items() if name not in _UNNAMED]
    return f"step {row['step']}: {', '.join(named)}"


def _print_line(line: str) -> None:
    tqdm.write(line, file=sys.stderr)  # above the bar, where there is one
