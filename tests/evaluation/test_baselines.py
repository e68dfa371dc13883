"""Baselines that never read the sentence, on a set of two small images."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from risbook.errors import DataError
from risbook.evaluation.baselines import (
    BASELINES,
    centre_box,
    everything,
    largest_object,
    nothing,
    score_baseline,
)

BoolMask = npt.NDArray[np.bool_]


def rectangle(shape: tuple[int, int], top: int, left: int, height: int, width: int) -> BoolMask:
    mask = np.zeros(shape, np.bool_)
    mask[top : top + height, left : left + width] = True
    return mask


class FakeData:
    """Image 1 (8 x 10) has a dog of 4 and a cat of 20 pixels, image 2 (6 x 6) a cup of 9."""

    def __init__(self) -> None:
        self.masks = {
            1: [("dog", rectangle((8, 10), 0, 0, 2, 2)), ("cat", rectangle((8, 10), 3, 3, 4, 5))],
            2: [("cup", rectangle((6, 6), 2, 1, 3, 3))],
        }
        rows = [(1, 1, 0), (2, 2, 0), (3, 1, 1), (4, 1, 1)]
        expressions = [
            SimpleNamespace(
                sent_id=sent_id,
                image_id=image_id,
                index=index,
                height=self.masks[image_id][0][1].shape[0],
                width=self.masks[image_id][0][1].shape[1],
            )
            for sent_id, image_id, index in rows
        ]
        self.expressions = SimpleNamespace(split=lambda name: {"val": expressions}[name])
        self.image_ids: list[int] = []

    def mask(self, expression: Any) -> BoolMask:
        _, mask = self.masks[int(expression.image_id)][int(expression.index)]
        return mask

    def objects(self, image_id: int) -> Sequence[tuple[str, BoolMask]]:
        self.image_ids.append(image_id)
        return self.masks[image_id]


@pytest.mark.parametrize(
    ("name", "ious"),
    [
        ("nothing", [0, 0, 0, 0]),
        ("everything", [4 / 80, 9 / 36, 20 / 80, 20 / 80]),
        # The cat's 4 x 5 rectangle at (3, 3) meets the box of 4 x 5 at (2, 2) in 3 x 4 pixels, the
        # cup's 3 x 3 at (2, 1) meets the box of 3 x 3 at (1, 1) in 2 x 3.
        ("centre_box", [0, 6 / 12, 12 / 28, 12 / 28]),
        ("largest_object", [0, 1, 1, 1]),
    ],
)
def test_by_hand(name: str, ious: list[float]) -> None:
    data: Any = FakeData()
    summary = score_baseline(data, "val", name)
    assert summary.count == 4
    assert summary.miou == pytest.approx(sum(ious) / 4, abs=1e-6)
    assert score_baseline(data, "val", BASELINES[name]) == summary


def test_overall_iou_by_hand() -> None:
    data: Any = FakeData()
    assert score_baseline(data, "val", "everything").oiou == (4 + 9 + 20 + 20) / (80 * 3 + 36)


def test_a_function_of_ones_own_is_called_once_per_image() -> None:
    data: Any = FakeData()
    calls: list[tuple[tuple[int, int], list[str]]] = []

    def smallest(shape: tuple[int, int], objects: Sequence[tuple[str, BoolMask]]) -> BoolMask:
        calls.append((shape, [category for category, _ in objects]))
        return min((mask for _, mask in objects), key=np.count_nonzero)

    summary = score_baseline(data, "val", smallest)
    assert summary.miou == pytest.approx(0.5, abs=1e-6)
    assert calls == [((8, 10), ["dog", "cat"]), ((6, 6), ["cup"])]
    assert data.image_ids == [1, 2]


def test_shapes_and_ties() -> None:
    first, second = rectangle((5, 7), 0, 0, 2, 3), rectangle((5, 7), 2, 2, 3, 2)
    assert np.array_equal(largest_object((5, 7), [("a", first), ("b", second)]), first)
    assert not largest_object((5, 7), []).any()
    for baseline in (everything, nothing, centre_box):
        assert baseline((5, 7), []).shape == (5, 7)
    assert everything((5, 7), []).all()
    assert centre_box((1, 1), []).all()
    assert centre_box((8, 12), []).sum() == 8 * 12 // 4


def test_an_unknown_name_is_named() -> None:
    data: Any = FakeData()
    with pytest.raises(DataError, match="largest_object"):
        score_baseline(data, "val", "bigest_object")
