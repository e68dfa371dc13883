"""Outcomes name the selected object, and pass changed inputs to the model."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from risbook.data import open_data
from risbook.errors import DataError
from risbook.teaching import Example, SceneObject, collect_outcomes, iou_with_objects, load_examples
from risbook.teaching.outcomes import Outcome


def strip(*columns: int) -> Any:
    mask = np.zeros((1, 8), bool)
    mask[0, list(columns)] = True
    return mask


LEFT, RIGHT = SceneObject(1, "mug", "", strip(0, 1)), SceneObject(2, "mug", "", strip(4, 5, 6))
EXAMPLE = Example("left mug", 7, 70, (LEFT, RIGHT), LEFT)


def test_iou_with_each_object():
    assert iou_with_objects(strip(1, 2), [LEFT, RIGHT]).tolist() == [1 / 3, 0]
    assert iou_with_objects(strip(), [SceneObject(3, "mug", "", strip())]).tolist() == [0]


@pytest.mark.parametrize(
    ("mask", "selected", "iou"),
    [
        (strip(0, 1), LEFT, 1.0),
        (strip(1, 4, 5), RIGHT, 1 / 4),
        (strip(3), None, 0.0),
        (strip(), None, 0.0),
        (strip(0, 1, 4, 5, 6), RIGHT, 2 / 5),
    ],
)
def test_the_selected_object_has_the_largest_iou(mask, selected, iou):
    outcome = Outcome(EXAMPLE, "left mug", mask)
    assert outcome.selected is selected and outcome.iou == iou
    assert outcome.is_right == (selected is LEFT)


def test_an_experiment_changes_sentences():
    data: Any = SimpleNamespace(image=lambda image_id: np.full((1, 8, 3), image_id, np.uint8))

    def predict(images, sentences):
        assert [image[0, 0, 0] for image in images] == [7] * len(sentences)
        return [strip(0, 1) if text.startswith("left") else strip(4) for text in sentences]

    trials, texts = [EXAMPLE] * 3, ["left mug", "right mug", "mug"]
    outcomes = collect_outcomes(predict, data, trials, texts, batch_size=2)
    assert [outcome.sentence for outcome in outcomes] == texts
    assert [outcome.is_right for outcome in outcomes] == [True, False, False]
    assert [o.is_right for o in collect_outcomes(predict, data, trials)] == [True] * 3


def test_numbers_that_do_not_fit_are_refused():
    data: Any = SimpleNamespace(image=lambda image_id: np.zeros((1, 8, 3), np.uint8))
    with pytest.raises(DataError, match="2 sentences for 1 examples"):
        collect_outcomes(lambda images, texts: [], data, [EXAMPLE], ["a", "b"])
    with pytest.raises(DataError, match="0 masks for 1 sentences"):
        collect_outcomes(lambda images, texts: [], data, [EXAMPLE])


def test_the_iou_is_that_of_the_ground_truth():
    data = open_data("refscenes-sample")
    rows = {row.sent_id: row for row in data.expressions}
    examples = load_examples(data, "val")
    whole = collect_outcomes(lambda images, _: [np.ones(i.shape[:2], bool) for i in images],
                             data, examples)  # fmt: skip
    for outcome in whole:
        truth = data.mask(rows[outcome.example.sent_id])
        assert outcome.iou == pytest.approx(truth.mean())
