"""Training: one loop for every system, and the files that a run leaves.

Each name is imported when it is first used, so that the command line can show the options of
`TrainingConfig` without loading torch.
"""

from typing import TYPE_CHECKING

from risbook.attribute_hints import lazy_attributes

if TYPE_CHECKING:
    from risbook.systems.losses import register_loss
    from risbook.training.run_log import read_log
    from risbook.training.train_model import train
    from risbook.training.training_config import TrainingConfig
    from risbook.training.training_run import train_system

__all__ = ["TrainingConfig", "read_log", "register_loss", "train", "train_system"]

__getattr__ = lazy_attributes(
    "risbook.training",
    {
        "TrainingConfig": "risbook.training.training_config",
        "read_log": "risbook.training.run_log",
        "register_loss": "risbook.systems.losses",
        "train": "risbook.training.train_model",
        "train_system": "risbook.training.training_run",
    },
)
