"""Training: one loop for every system, and the files that a run leaves.

Each name is imported when it is first used, so that the command line can show the options of
`TrainingConfig` without loading torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from risbook.training.run_log import read_log
    from risbook.training.train_by_name import train
    from risbook.training.training_config import TrainingConfig
    from risbook.training.training_run import train_system

__all__ = ["TrainingConfig", "read_log", "train", "train_system"]

_MODULES = {
    "TrainingConfig": "training_config",
    "read_log": "run_log",
    "train": "train_by_name",
    "train_system": "training_run",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'risbook.training' has no attribute {name!r}")
    return getattr(import_module(f"risbook.training.{_MODULES[name]}"), name)
