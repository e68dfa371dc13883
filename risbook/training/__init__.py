"""Training: three layers, and the files that a run leaves. Each layer calls the next one.

1. `api.py`, `risbook.train(model, data)`: names, datasets and modules become a `TrainingConfig`.
2. `run.py`, `train_system(config, folder)`: the configuration becomes a checkpoint in a folder.
3. `loop.py`, `TrainingLoop(objective).run()`: steps, the log, saved states.

The loop trains an `Objective`: a network with its loss, batches and learning rates. That of a
system is the `MaskObjective`. The commands ``risbook train`` and ``risbook study`` begin at the
second layer; the pretraining of towers has objectives of its own and begins at the third.

Each name is imported when it is first used, so that the command line can show the options of
`TrainingConfig` without loading torch.
"""

from typing import TYPE_CHECKING

from risbook.attribute_hints import lazy_attributes

if TYPE_CHECKING:
    from risbook.systems.losses import register_loss
    from risbook.training.api import train
    from risbook.training.run import train_system
    from risbook.training.run_log import read_log
    from risbook.training.training_config import TrainingConfig

__all__ = ["TrainingConfig", "read_log", "register_loss", "train", "train_system"]

__getattr__ = lazy_attributes(
    "risbook.training",
    {
        "TrainingConfig": "risbook.training.training_config",
        "read_log": "risbook.training.run_log",
        "register_loss": "risbook.systems.losses",
        "train": "risbook.training.api",
        "train_system": "risbook.training.run",
    },
)
