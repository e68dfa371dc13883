"""What several commands print and check."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from risbook.errors import RisbookError

if TYPE_CHECKING:
    import torch


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=1))


def print_table(rows: Sequence[Mapping[str, object]]) -> None:
    """A plain table of rows with the same keys: numbers to the right, all else to the left."""
    columns = []
    for name in rows[0]:
        cells = [name, *(str(row[name]) for row in rows)]
        width = max(map(len, cells))
        is_number = cells[1].replace(".", "", 1).isdigit()
        columns.append([cell.rjust(width) if is_number else cell.ljust(width) for cell in cells])
    for line in zip(*columns, strict=True):
        print("  ".join(line).rstrip())


def choose_device(name: str) -> "torch.device":
    """The device of that name, or the best there is where it is empty.

    Raises:
        RisbookError: if there is no such device.
    """
    import torch

    name = name or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        first_line = str(error).splitlines()[0]
        raise RisbookError(f"--device {name}: cannot compute there ({first_line})") from error
    return device


def check_png(path: Path, *, overwrite: bool = True) -> None:
    """Refuse an output that is no ``.png`` in a folder that exists, before any work.

    Raises:
        RisbookError: says what is wrong with it.
    """
    if path.is_dir():
        raise RisbookError(f"{path}: is a folder; name a file in it that ends with .png")
    if path.suffix.lower() != ".png":
        raise RisbookError(f"{path}: images are written as PNG; end it with .png")
    check_parent(path)
    if path.exists() and not overwrite:
        raise RisbookError(f"{path}: is already there; name another file or add --overwrite")


def check_parent(path: Path) -> None:
    """Refuse an output in a folder that there is not.

    Raises:
        RisbookError: names the folder.
    """
    if not path.parent.is_dir():
        raise RisbookError(f"{path.parent}: there is no such folder to write into")
