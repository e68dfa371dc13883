"""`risbook.train`: a training in one line of Python."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from risbook.config import from_values, with_overrides
from risbook.errors import RisbookError, StoppedError
from risbook.systems import System
from risbook.systems.system_presets import SHIPPED_SYSTEMS, system_preset
from risbook.training.training_config import TrainingConfig
from risbook.training.training_run import train_system


def train(
    system: str,
    data: str | Path | Sequence[str | Path] | None = None,
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
        system: a preset's name.
        data: names or folders of the sets to train on, one or a list. Without it, a system that
            comes with the package is trained as its checkpoint was.
        out: folder of the run; without it nothing is left on the disk.
        resume: go on with the run in `out`.
        show_progress: show a progress bar.
        fields: other fields of `risbook.training.TrainingConfig`.

    Returns:
        The trained system, in evaluation mode.

    Raises:
        RisbookError: for a field that does not exist or a value that makes no sense, and as
            `risbook.training.train_system`.
    """
    if data is not None:
        names = [data] if isinstance(data, str | Path) else data
        fields["data"] = [str(name) for name in names]
    config = resolve_config(system, **fields)
    if out is not None:
        return train_system(config, Path(out), resume=resume, show_progress=show_progress)
    if resume:
        raise RisbookError("resume=True: name with out= the folder of the run to go on with")
    with TemporaryDirectory(prefix="risbook-") as folder:
        try:
            return train_system(config, Path(folder), show_progress=show_progress)
        except StoppedError as stop:
            message = str(stop).split(";")[0]
            raise StoppedError(
                f"{message}; it cannot go on, because it had no folder: name one with out=",
                stop.signum,
            ) from None


def resolve_config(system: str, **fields: Any) -> TrainingConfig:
    """The run that some fields describe.

    What they leave open has the default of `TrainingConfig`; without "data" it is as in the run
    that made the checkpoint which comes with the package.

    Raises:
        RisbookError: names the field that is wrong; without "data" for a system of which no
            checkpoint comes with the package.
    """
    system_preset(system)  # a name that does not exist is the first thing to say
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
