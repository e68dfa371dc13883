"""Arguments that several commands share."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from risbook.errors import RisbookError

if TYPE_CHECKING:
    import torch

    from risbook.data import ReferData

#: What argparse hands to the functions that add a command.
Commands = Any

DATA_HELP = (
    "a drawn set (refscenes, refscenes+, refscenesg; with -sample for the few scenes that come "
    "with the package), or a folder in the REFER layout, with instances.json and refs(...).p"
)


def add_places(command: argparse.ArgumentParser) -> None:
    """``--partition`` and ``--images``: what a folder's layout may leave open."""
    command.add_argument(
        "--partition", default="", metavar="NAME", help="unc, google or umd (default: unc or umd)"
    )
    command.add_argument(
        "--images", default="", metavar="FOLDER", help="pictures (default: beside the sets)"
    )


def open_named(options: argparse.Namespace, name: str) -> "ReferData":
    """Open a set as ``--partition`` and ``--images`` say."""
    from risbook.data import open_data

    return open_data(name, partition=options.partition or None, images=options.images or None)


def add_json(command: argparse.ArgumentParser) -> None:
    """``--json``: figures as one JSON document on standard output."""
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")


def add_device(command: argparse.ArgumentParser) -> None:
    """``--device``: where to compute."""
    command.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: a GPU if there is one)")


def choose_device(wish: str | None) -> "torch.device":
    """The device that was asked for, or the best there is.

    Raises:
        RisbookError: if there is no such device.
    """
    import torch

    try:
        device = torch.device(wish or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        first_line = str(error).splitlines()[0]
        raise RisbookError(f"--device {wish}: cannot compute there ({first_line})") from error
    return device


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=1))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A plain table: numbers to the right, everything else to the left."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        cells = [
            cell.rjust(width) if rows and _is_number(rows[0][i]) else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def positive(word: str) -> int:
    """An argument that is a whole number from 1 on."""
    if (value := int(word)) < 1:
        raise argparse.ArgumentTypeError(f"{word} is not a whole number from 1 on")
    return value


def not_negative(word: str) -> int:
    """An argument that is a whole number from 0 on."""
    if (value := int(word)) < 0:
        raise argparse.ArgumentTypeError(f"{word} is not a whole number from 0 on")
    return value


def probability(word: str) -> float:
    """An argument that is a probability."""
    if not 0 <= (value := float(word)) < 1:
        raise argparse.ArgumentTypeError(f"{word} does not lie from 0 to below 1")
    return value


def read_changes(words: list[str]) -> dict[str, Any]:
    """Read ``name=value`` words; a value is read as JSON where it is JSON.

    >>> read_changes(["image_size=256", "name=abc"])
    {'image_size': 256, 'name': 'abc'}
    """
    changes: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise RisbookError(f"--set {word}: write it as NAME=VALUE, for instance image_size=256")
        try:
            changes[name] = json.loads(value)
        except ValueError:
            changes[name] = value
    return changes


def check_png(*paths: Path | None) -> None:
    """Refuse an output that is no ``.png`` in a folder that exists.

    Raises:
        RisbookError: says which.
    """
    for path in filter(None, paths):
        if path.suffix.lower() != ".png":
            raise RisbookError(f"{path}: pictures are written as PNG; end it with .png")
        if not path.parent.is_dir():
            raise RisbookError(f"{path.parent}: there is no such folder to write into")


def _is_number(cell: str) -> bool:
    return cell.replace(".", "", 1).isdigit()
