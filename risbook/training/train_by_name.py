"""`risbook.train`: a training in one line of Python."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from risbook.config import from_values, with_overrides
from risbook.data.dataset import ReferData
from risbook.data.referring_dataset import ReferringDataset
from risbook.errors import RisbookError, StoppedError
from risbook.systems import System
from risbook.systems.system_presets import SHIPPED_SYSTEMS, system_preset
from risbook.training.training_config import TrainingConfig
from risbook.training.training_run import train_system

Data = str | Path | ReferringDataset


def train(
    system: str | System,
    data: Data | Sequence[Data] | None = None,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    show_progress: bool = True,
    **fields: Any,
) -> System:
    """Train a system.

        model = risbook.train("etris-mini", data="refscenes", steps=200)
        mask = model.predict("photo.jpg", "the left dog")

    Args:
        system: a preset's name for a new system, or a system to train further.
        data: what to train on, one or a list of names, folders, or datasets of
            `risbook.data.load`. Without it, a system that comes with the package is trained as its
            checkpoint was.
        out: folder of the run; without `out` the run leaves no files.
        resume: continue the run in `out`.
        show_progress: show a progress bar.
        fields: other fields of `risbook.training.TrainingConfig`; "lr" is its learning_rate.

    Returns:
        The trained system, in evaluation mode; `history` has its losses.

    Raises:
        RisbookError: for an unknown field or an impossible value, and as
            `risbook.training.train_system`.
    """
    sources: dict[str, ReferData] = {}
    if data is not None:
        names = []
        for entry in data if isinstance(data, list | tuple) else [data]:
            if not isinstance(entry, str | Path | ReferringDataset):
                raise RisbookError(
                    f"data is {entry!r:.60}; name a set such as 'refscenes', or give what "
                    "risbook.data.load returned"
                )
            names.append(str(entry.name if isinstance(entry, ReferringDataset) else entry))
            if isinstance(entry, ReferringDataset):
                sources[entry.name] = entry.data
                fields.setdefault("splits", [entry.split])
        fields["data"] = names
    if "lr" in fields:
        fields["learning_rate"] = fields.pop("lr")
    model = system if isinstance(system, System) else None
    config = resolve_config(system.name if isinstance(system, System) else system, **fields)
    given: dict[str, Any] = {
        "system": model,
        "sources": sources,
        "show_progress": show_progress,
    }
    if out is not None:
        return train_system(config, Path(out), resume=resume, **given)
    if resume:
        raise RisbookError("resume=True: name with out= the folder of the run to continue")
    with TemporaryDirectory(prefix="risbook-") as folder:
        try:
            return train_system(config, Path(folder), **given)
        except StoppedError as stop:
            message = str(stop).split(";")[0]
            raise StoppedError(
                f"{message}; a run without a folder cannot be continued: name a folder with out=",
                stop.signum,
            ) from None


def resolve_config(system: str, **fields: Any) -> TrainingConfig:
    """Complete the configuration of a run from some of its fields.

    Other fields have the defaults of `TrainingConfig`; without "data" they are those of the run
    that made the checkpoint in the package.

    Raises:
        RisbookError: for a wrong field, or without "data" for a system that has no checkpoint in
            the package.
    """
    system_preset(system)  # an unknown name is reported before any other mistake
    if "data" in fields:
        return from_values(TrainingConfig, {"system": system, **fields})
    recorded = SHIPPED_SYSTEMS / system / "training.json"
    if not recorded.is_file():
        raise RisbookError(
            f"{system}: say what to train on, for instance data='refscenes' (--data refscenes on "
            "the command line)"
        )
    config = TrainingConfig.load(recorded)
    overrides = {**config.overrides, **fields.pop("overrides", {})}
    return with_overrides(config, {**fields, "overrides": overrides})
