"""Evaluation: predicted masks at the image's own resolution, and their mIoU, oIoU and Pr@X."""

from risbook.evaluation.baselines import BASELINES, score_baseline
from risbook.evaluation.evaluate import evaluate
from risbook.evaluation.paired_difference import (
    PairedDifference,
    mean_with_interval,
    paired_difference,
)
from risbook.evaluation.result_files import read_result, write_result
from risbook.evaluation.score_system import ScoredPrediction, predict_batch, score_system
from risbook.metrics import Scores, Summary
from risbook.systems.postprocess import THRESHOLD, predict_mask

__all__ = [
    "BASELINES",
    "THRESHOLD",
    "PairedDifference",
    "ScoredPrediction",
    "Scores",
    "Summary",
    "evaluate",
    "mean_with_interval",
    "paired_difference",
    "predict_batch",
    "predict_mask",
    "read_result",
    "score_baseline",
    "score_system",
    "write_result",
]
