"""Evaluation: predicted masks at the image's own resolution, and their mIoU, oIoU and Pr@X."""

from risbook.evaluation.baselines import BASELINES, score_baseline
from risbook.evaluation.evaluate import evaluate
from risbook.evaluation.kind_scores import Estimate, KindScore, compare_within_objects, score_kinds
from risbook.evaluation.paired_difference import (
    PairedDifference,
    mean_with_interval,
    paired_difference,
)
from risbook.evaluation.recorded_counts import ious_of_counts, read_counts
from risbook.evaluation.result_files import read_result, write_result
from risbook.evaluation.score_system import ScoredPrediction, predict_batch, score_system
from risbook.metrics import Scores, Summary
from risbook.systems.postprocess import THRESHOLD, predict_mask

__all__ = [
    "BASELINES",
    "THRESHOLD",
    "Estimate",
    "KindScore",
    "PairedDifference",
    "ScoredPrediction",
    "Scores",
    "Summary",
    "compare_within_objects",
    "evaluate",
    "ious_of_counts",
    "mean_with_interval",
    "paired_difference",
    "predict_batch",
    "predict_mask",
    "read_counts",
    "read_result",
    "score_baseline",
    "score_kinds",
    "score_system",
    "write_result",
]
