"""Result files: figures together with the command, device, versions and weights that gave them."""

import datetime
import platform
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from risbook import __version__
from risbook.errors import DataError
from risbook.files import read_json, write_json
from risbook.systems.measured_results import weights_digest
from risbook.systems.system import System


def describe_device(device: torch.device) -> str:
    """The device in words, for a label: a GPU's name, or the processor and its threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"


def write_result(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    *,
    command: Sequence[str],
    system: System | None = None,
    settings: Mapping[str, Any] | None = None,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write a result file (JSON).

    Args:
        path: the file.
        rows: one mapping per row of figures.
        command: the words of the command that gives the same rows.
        system: the measured system; None where what was measured on the CPU is none.
        settings: the settings of the measurement, if there are any to choose.
        about: further entries, for instance the seed of the training and its suite.
    """
    device = next(system.parameters()).device if system else torch.device("cpu")
    content: dict[str, Any] = {
        "command": shlex.join(command),
        "date": datetime.date.today().isoformat(),
        "device": describe_device(device),
        "risbook": __version__,
        "torch": torch.__version__,
    }
    if system:
        content |= {"system": system.name, "weights_sha256": weights_digest(system)}
    if settings is not None:
        content["settings"] = dict(settings)
    if system and (origins := system.weights_origins()):
        content["origin"] = origins
    write_json(path, {**content, **(about or {}), "rows": [dict(row) for row in rows]})


def read_result(path: Path) -> dict[str, Any]:
    """Read a result file; a DataError says that it is missing or malformed."""
    if not path.is_file():
        raise DataError(f"{path}: there is no result file here")
    about = read_json(path)
    if not isinstance(about, dict) or not {"command", "date", "device", "rows"} <= set(about):
        raise DataError(f"{path}: not a result file (command, date, device and rows are missing)")
    return about
