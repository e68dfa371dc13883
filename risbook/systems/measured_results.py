"""Scores of a system, as its card shows them: only those of the same weights."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from risbook.errors import DataError
from risbook.files import read_json
from risbook.systems.system import System

#: entries of a result file that a card needs
NEEDED = ("command", "date", "device", "rows", "weights_sha256")


def weights_digest(system: System) -> str:
    """First 16 hex digits of the SHA-256 of all weights in float32, in the order of their names."""
    digest = hashlib.sha256()
    for name, value in sorted(system.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()[:16]


def note_results(system: System, results: str | Path | Mapping[str, Any]) -> None:
    """Note scores in `System.about`, in place of earlier measurements.

    Args:
        system: the measured system.
        results: a file that `risbook evaluate --out` wrote, or its content.

    Raises:
        DataError: if it is no such file, or the scores are those of other weights.
    """
    where = "results" if isinstance(results, Mapping) else str(results)
    content = results if isinstance(results, Mapping) else read_json(Path(results))
    if not isinstance(content, Mapping) or not all(name in content for name in NEEDED):
        raise DataError(f"{where}: not a result file ({', '.join(NEEDED)} are needed)")
    if not all({"set", "split", "mIoU"} <= set(row) for row in content["rows"]):
        raise DataError(f"{where}: its rows have to hold set, split and mIoU")
    if content["weights_sha256"] != weights_digest(system):
        raise DataError(f"{where}: these are the results of other weights; evaluate these again")
    measured = {name: content[name] for name in ("command", "date", "device", "rows")}
    others = [r for r in system.about.get("results", []) if r["kind"] != "measured"]
    system.about["results"] = [{"kind": "measured", **measured}, *others]
