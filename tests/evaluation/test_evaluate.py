"""Evaluation of a system on a split: which expressions, in which batches, in which mode."""

import numpy as np
import pytest
import torch

from risbook.data import ReferData, ReferringDataset, open_data
from risbook.evaluation import ScoredPrediction, predict_batch, score_system
from risbook.systems import System, load_system


@pytest.fixture(scope="module")
def system() -> System:
    return load_system("first-model")


@pytest.fixture(scope="module")
def data() -> ReferData:
    return open_data("refscenes-sample")


def test_scores_are_those_of_the_predicted_masks(system: System, data: ReferData) -> None:
    expressions = list(data.expressions.split("val"))
    scores = score_system(
        system, ReferringDataset(data, split="val"), batch_size=4, show_progress=False
    )
    assert [row[0] for row in scores] == sorted(e.sent_id for e in expressions)
    counts = {sent_id: (inter, union) for sent_id, inter, union in scores}
    for prediction in predict_batch(system, data, expressions[:4]):
        truth = data.mask(prediction.expression)
        assert np.array_equal(prediction.truth, truth)
        assert prediction.mask.shape == truth.shape
        assert counts[prediction.expression.sent_id] == (
            int((prediction.mask & truth).sum()),
            int((prediction.mask | truth).sum()),
        )


def test_batches_and_neighbours_do_not_matter(system: System, data: ReferData) -> None:
    expressions = list(data.expressions.split("val"))[:5]
    together = predict_batch(system, data, expressions)
    for expression, prediction in zip(expressions, together, strict=True):
        (alone,) = predict_batch(system, data, [expression])
        assert prediction.expression is alone.expression is expression
        # The kernels of other batch sizes may round otherwise.
        assert torch.allclose(alone.logits, prediction.logits, atol=1e-4)
        assert (alone.mask != prediction.mask).mean() < 1e-3


def test_a_limit_takes_expressions_from_the_whole_split(system: System, data: ReferData) -> None:
    ids = [expression.sent_id for expression in data.expressions.split("val")]
    scores = score_system(system, ReferringDataset(data, split="val"), limit=3, show_progress=False)
    assert {row[0] for row in scores} == {ids[n * len(ids) // 3] for n in range(3)}


def test_the_mode_of_the_system_is_restored(system: System, data: ReferData) -> None:
    expressions = list(data.expressions.split("val"))[:2]
    expected = predict_batch(system, data, expressions)
    system.train()
    predictions = predict_batch(system, data, expressions)
    assert system.training
    system.eval()
    for left, right in zip(expected, predictions, strict=True):
        assert torch.allclose(left.logits, right.logits, atol=1e-4)


def test_iou_by_hand(data: ReferData) -> None:
    mask, truth = np.array([[1, 1, 0]], np.bool_), np.array([[0, 1, 1]], np.bool_)
    expression = data.expressions.split("val")[0]
    cases = {1 / 3: (mask, truth), 1.0: (mask, mask), 0.0: (~(mask | True), ~(mask | True))}
    for iou, (pred, target) in cases.items():
        prediction = ScoredPrediction(expression, pred, target, torch.zeros(1, 1))
        assert prediction.iou == pytest.approx(iou)
