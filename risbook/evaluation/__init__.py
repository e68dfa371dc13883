"""Evaluation: predicted masks at the image's own resolution, and their mIoU, oIoU and Pr@X."""

from risbook.evaluation.baselines import BASELINES, score_baseline
from risbook.evaluation.evaluate import ScoredPrediction, evaluate, predict_batch
from risbook.evaluation.evaluate_model import evaluate_model
from risbook.evaluation.result_files import read_result, write_result
from risbook.metrics import Scores, Summary
from risbook.systems.postprocess import THRESHOLD, predict_mask

__all__ = [
    "BASELINES",
    "THRESHOLD",
    "ScoredPrediction",
    "Scores",
    "Summary",
    "evaluate",
    "evaluate_model",
    "predict_batch",
    "predict_mask",
    "read_result",
    "score_baseline",
    "write_result",
]
