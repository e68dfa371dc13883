"""Scores by kind: means as counted by hand, intervals of theory, and honest verdicts."""

from pathlib import Path

import numpy as np
import pytest

from risbook.errors import ArgumentError, DataError
from risbook.evaluation.kind_scores import MIN_IMAGES, compare_within_objects, score_kinds
from risbook.evaluation.packed_scores import pack_counts, unpack_counts
from risbook.evaluation.recorded_counts import ious_of_counts, read_counts
from risbook.files import write_json

RNG = np.random.default_rng(0)


def counts_of(ious: np.ndarray) -> np.ndarray:
    return np.stack([np.rint(10_000 * ious), np.full(len(ious), 10_000)], axis=1).astype(int)


def test_means_are_those_of_the_kind() -> None:
    counts = [[5, 10], [9, 10], [0, 40], [8, 8]]
    [score] = score_kinds(counts, [1, 2, 2, 3], {"relation": np.array([True, True, False, False])})
    assert (score.kind, score.count, score.images) == ("relation", 2, 2)
    assert score.miou.value == pytest.approx(0.7) and score.oiou == pytest.approx(14 / 20)
    assert score.failures.value == 0.5  # an IoU of 0.5 is a failure, as Pr@0.5 does not count it
    assert score.difference.value == pytest.approx(0.7 - 0.5, abs=1e-6)


def test_the_interval_of_a_difference_has_the_width_of_theory() -> None:
    ious = RNG.random(800)
    inside = np.arange(800) < 400
    [score] = score_kinds(counts_of(ious), list(range(800)), {"location": inside})
    error = ious.std() * (2 / 400) ** 0.5
    width = score.difference.high - score.difference.low
    assert width == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert score.difference.verdict == "undecided"


def test_a_difference_that_is_there_is_found_in_its_direction() -> None:
    inside = np.arange(600) % 2 == 0
    ious = np.clip(0.5 + 0.1 * RNG.standard_normal(600) - 0.1 * inside, 0, 1)
    kinds = {"location": inside, "no location": ~inside}
    low, high = score_kinds(counts_of(ious), np.repeat(np.arange(200), 3).tolist(), kinds)
    assert (low.difference.verdict, high.difference.verdict) == ("lower", "higher")
    assert low.difference.value == pytest.approx(-high.difference.value)


def test_more_kinds_need_wider_intervals() -> None:
    ious, inside = RNG.random(300), np.arange(300) % 3 == 0
    counts, image_ids = counts_of(ious), list(range(300))
    [alone] = score_kinds(counts, image_ids, {"a": inside})
    [first, *_] = score_kinds(counts, image_ids, dict.fromkeys("abcdefgh", inside))
    assert first.difference.low < alone.difference.low < alone.difference.high
    assert (first.miou.low, first.miou.high) == (alone.miou.low, alone.miou.high)


def test_few_images_decide_nothing() -> None:
    ious = np.concatenate([np.full(MIN_IMAGES - 1, 0.9), np.full(100, 0.1)])
    inside = ious > 0.5
    [score] = score_kinds(counts_of(ious), list(range(len(ious))), {"rare": inside})
    assert score.difference.verdict == "too few images" and np.isnan(score.miou.low)
    [absent] = score_kinds(counts_of(ious), list(range(len(ious))), {"absent": inside & ~inside})
    assert absent.count == 0 and absent.difference.verdict == "too few images"


def test_the_same_object_takes_its_own_difficulty_out() -> None:
    # Location words stand with easy objects, and help by 0.1 within an object.
    easy = RNG.random(300) < 0.5
    base = np.where(easy, 0.8, 0.3)
    has_kind = np.array([[True, easy[n], False] for n in range(300)]).ravel()
    objects = np.repeat(np.arange(300), 3)
    values = np.repeat(base, 3) + 0.1 * has_kind + 0.02 * RNG.standard_normal(900)
    estimate, num_objects = compare_within_objects(values, has_kind, objects.tolist(), objects)
    assert num_objects == 300 and estimate.verdict == "higher"
    assert estimate.value == pytest.approx(0.1, abs=0.01)
    [raw] = score_kinds(counts_of(values.clip(0, 1)), objects.tolist(), {"location": has_kind})
    assert raw.difference.value > 0.2


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ArgumentError, match="one truth value for each of the 2"):
        score_kinds([[1, 2], [1, 2]], [1, 2], {"kind": [1, 0]})
    with pytest.raises(ArgumentError, match="3 images for 2 expressions"):
        score_kinds([[1, 2], [1, 2]], [1, 2, 3], {"kind": [True, False]})
    with pytest.raises(ArgumentError, match="no object has expressions with"):
        compare_within_objects([0.1, 0.2], [True, False], [1, 2], [1, 2])
    with pytest.raises(ArgumentError, match="2 values, 1 objects"):
        compare_within_objects([0.1, 0.2], [True, False], [1], [1, 2])


def test_counts_come_back_from_a_result_file(tmp_path: Path) -> None:
    counts = np.array([[3, 7], [0, 4_000_000_000], [9, 9]])
    assert unpack_counts(pack_counts(counts)).tolist() == counts.tolist()
    with pytest.raises(DataError, match="whole numbers"):
        pack_counts([[0.5, 1]])
    with pytest.raises(DataError, match="union below its part"):
        unpack_counts(pack_counts([[7, 3]]))
    with pytest.raises(DataError, match="damaged"):
        unpack_counts("AwAAAAcAAA")
    row = {"set": "refscenes", "split": "val", "count": 3, "counts": pack_counts(counts)}
    row["mIoU"] = float(ious_of_counts(counts).mean())
    about = {"command": "c", "date": "2026-11-30", "device": "d"}
    write_json(tmp_path / "scores.json", {**about, "rows": [row, {"set": "refscenes"}]})
    read = read_counts(tmp_path / "scores.json", dataset="refscenes", split="val")
    assert read.tolist() == counts.tolist()
    with pytest.raises(DataError, match="no pixels of the single expressions"):
        read_counts(tmp_path / "scores.json", dataset="refscenes", split="testA")
    row["mIoU"] = 0.1
    write_json(tmp_path / "scores.json", {**about, "rows": [row]})
    with pytest.raises(DataError, match="do not give its mIoU"):
        read_counts(tmp_path / "scores.json", dataset="refscenes", split="val")
