"""Measurements of speed: `risbook bench data`, `evaluate` and `train`."""

from risbook.benchmarks.evaluation_speed import EvaluationSpeed, measure_evaluation
from risbook.benchmarks.loading_speed import LoadingSpeed, measure_loading
from risbook.benchmarks.training_speed import TrainingSpeed, measure_training

__all__ = [
    "EvaluationSpeed",
    "LoadingSpeed",
    "TrainingSpeed",
    "measure_evaluation",
    "measure_loading",
    "measure_training",
]
