"""Training: one loop for every system, and the files that a run leaves."""

from risbook.training.front_door import train
from risbook.training.run_log import read_log
from risbook.training.training_config import TrainingConfig
from risbook.training.training_run import train_system

__all__ = ["TrainingConfig", "read_log", "train", "train_system"]
