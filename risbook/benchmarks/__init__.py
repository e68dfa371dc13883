"""Measurements of speed: `risbook bench evaluate` and `risbook bench train`."""

from risbook.benchmarks.evaluation_speed import EvaluationSpeed, measure_evaluation
from risbook.benchmarks.training_speed import TrainingSpeed, measure_training

__all__ = ["EvaluationSpeed", "TrainingSpeed", "measure_evaluation", "measure_training"]
