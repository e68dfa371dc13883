"""Evaluation: from logits to a mask at the picture's own resolution, and from masks to figures."""

from risbook.evaluation.baselines import BASELINES, score_baseline
from risbook.evaluation.evaluate import Prediction, evaluate, predict_batch
from risbook.evaluation.original_size import THRESHOLD, predict_mask
from risbook.evaluation.prediction import Answer, predict
from risbook.evaluation.result_files import read_result, write_result
from risbook.metrics import Scores, Summary

__all__ = [
    "BASELINES",
    "THRESHOLD",
    "Answer",
    "Prediction",
    "Scores",
    "Summary",
    "evaluate",
    "predict",
    "predict_batch",
    "predict_mask",
    "read_result",
    "score_baseline",
    "write_result",
]
