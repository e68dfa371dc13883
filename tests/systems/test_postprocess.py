"""From logits to a mask at the picture's own resolution."""

import numpy as np
import pytest
import torch

from risbook.data.letterbox import Letterbox
from risbook.errors import ArgumentError
from risbook.systems.postprocess import (
    THRESHOLD,
    predict_mask,
    probabilities_at_original_size,
)


def test_one_and_a_batch_agree() -> None:
    torch.manual_seed(0)
    logits = torch.randn(3, 1, 8, 8)
    boxes = [Letterbox(height=h, width=w, size=32) for h, w in ((20, 30), (41, 17), (32, 32))]
    batch = probabilities_at_original_size(logits, boxes)
    masks = predict_mask(logits, boxes)
    for answer, mask, logit, box in zip(batch, masks, logits, boxes, strict=True):
        assert answer.shape == (box.height, box.width)
        assert answer.dtype == np.float32
        assert np.array_equal(answer, probabilities_at_original_size(logit[0], box))
        assert np.array_equal(mask, answer > THRESHOLD)
        assert np.array_equal(mask, predict_mask(logit[0], box))


def test_a_flat_answer_stays_flat_inside() -> None:
    box = Letterbox(height=60, width=40, size=32)
    answer = probabilities_at_original_size(torch.full((8, 8), 2.0), box)
    inside = answer[4:-4, 4:-4]
    assert inside == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-5)


def test_an_object_lands_where_it_was() -> None:
    box = Letterbox(height=120, width=160, size=128)
    truth = np.zeros((120, 160), np.bool_)
    truth[30:80, 40:100] = True
    quarter = torch.from_numpy(box.mask(truth))[2::4, 2::4]
    mask = predict_mask(torch.where(quarter > 0.5, 8.0, -8.0), box, threshold=0.5)
    assert (mask & truth).sum() / (mask | truth).sum() > 0.85
    everywhere = predict_mask(torch.full((32, 32), 9.0), box)
    assert everywhere.mean() > 0.99


def test_the_threshold_is_strict() -> None:
    box = Letterbox(height=32, width=32, size=32)
    logits = torch.zeros(32, 32)
    assert predict_mask(logits, box, threshold=0.5).sum() == 0
    assert predict_mask(logits[None, None], [box], threshold=0.5)[0].sum() == 0
    assert predict_mask(logits, box, threshold=0.4999).all()
    assert THRESHOLD == 0.35


def test_probabilities_are_enlarged_not_logits() -> None:
    box = Letterbox(height=32, width=32, size=32)
    logits = torch.tensor([[-9.0, -9.0], [9.0, 9.0]])
    answer = probabilities_at_original_size(logits, box)
    # Corners are aligned, and between them the probability is spread out, not a steep sigmoid.
    assert answer[0, 0] == pytest.approx(0, abs=1e-3)
    assert answer[-1, -1] == pytest.approx(1, abs=1e-3)
    assert 0.05 < answer[8, 0] < 0.3


def test_type_and_graph_do_not_matter() -> None:
    box = Letterbox(height=20, width=30, size=16)
    logits = torch.randn(4, 4).bfloat16()
    expected = probabilities_at_original_size(logits.float(), box)
    assert np.array_equal(probabilities_at_original_size(logits.requires_grad_(), box), expected)


def test_mistakes_are_named() -> None:
    box = Letterbox(height=20, width=30, size=16)
    with pytest.raises(ArgumentError, match=r"\(h, w\)"):
        predict_mask(torch.zeros(1, 1, 4, 4), box)
    with pytest.raises(ArgumentError, match="2 letterboxes"):
        predict_mask(torch.zeros(1, 1, 4, 4), [box, box])
    with pytest.raises(ArgumentError, match="1, h, w"):
        predict_mask(torch.zeros(2, 3, 4, 4), [box, box])
