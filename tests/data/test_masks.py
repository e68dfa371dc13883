"""Masks from polygons and runs, checked by hand and against pycocotools."""

from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from risbook.data.masks import decode_mask, encode_mask, mask_area, mask_box
from risbook.errors import DataError

SQUARE = [1.0, 1.0, 4.0, 1.0, 4.0, 4.0, 1.0, 4.0]
OVERLAPPING = [2.0, 2.0, 6.0, 2.0, 6.0, 6.0, 2.0, 6.0]


def random_masks(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    shapes = rng.integers(1, 40, (count, 2))
    return [rng.random(tuple(shape)) < rng.random() for shape in shapes]


def test_a_square_by_hand() -> None:
    mask = decode_mask([SQUARE], 6, 8)
    expected = np.zeros((6, 8), dtype=bool)
    expected[1:4, 1:4] = True
    assert mask.dtype == np.bool_
    np.testing.assert_array_equal(mask, expected)


def test_several_rings_are_a_union() -> None:
    both = decode_mask([SQUARE, OVERLAPPING], 8, 8)
    first, second = decode_mask([SQUARE], 8, 8), decode_mask([OVERLAPPING], 8, 8)
    assert (first & second).any()
    np.testing.assert_array_equal(both, first | second)
    assert mask_area(both) == 9 + 16 - 4


def test_tuples_arrays_and_whole_numbers_are_rings_too() -> None:
    expected = decode_mask([SQUARE], 6, 8)
    np.testing.assert_array_equal(decode_mask((tuple(SQUARE),), 6, 8), expected)
    np.testing.assert_array_equal(decode_mask([np.array(SQUARE, np.float32)], 6, 8), expected)
    np.testing.assert_array_equal(decode_mask([[int(v) for v in SQUARE]], 6, 8), expected)


def test_a_ring_may_reach_over_the_edge() -> None:
    assert decode_mask([[-3, -3, 20, -3, 20, 20, -3, 20]], 10, 12).all()


def test_uncompressed_runs_walk_down_the_columns() -> None:
    mask = decode_mask({"size": [2, 3], "counts": [1, 3, 2]}, 2, 3)
    np.testing.assert_array_equal(mask, [[False, True, False], [True, True, False]])
    mask = decode_mask({"size": (2, 1), "counts": (0, 2)}, 2, 1)
    assert mask.all()


def test_runs_agree_with_pycocotools_in_all_forms() -> None:
    for mask in random_masks(200):
        height, width = mask.shape
        record = encode_mask(mask)
        assert isinstance(record["counts"], str)
        theirs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
        assert record["counts"].encode() == theirs["counts"]
        np.testing.assert_array_equal(decode_mask(record, height, width), mask)
        np.testing.assert_array_equal(decode_mask(theirs, height, width), mask)
        flat = mask.T.ravel()
        edges = np.flatnonzero(np.diff(flat)) + 1
        runs = np.diff([0, *edges, flat.size]).tolist()
        runs = [0, *runs] if flat[0] else runs
        uncompressed = {"size": [height, width], "counts": runs}
        np.testing.assert_array_equal(decode_mask(uncompressed, height, width), mask)


def test_area_and_box_agree_with_pycocotools() -> None:
    for mask in random_masks(100):
        record = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
        assert mask_area(mask) == coco_mask.area(record)
        assert mask_box(mask) == tuple(coco_mask.toBbox(record).tolist())
    assert mask_box(np.zeros((3, 3))) == (0, 0, 0, 0)


def test_every_value_but_zero_is_object() -> None:
    mask = np.array([[0, 255], [2, 0]], dtype=np.uint8)
    assert mask_area(mask) == 2
    np.testing.assert_array_equal(decode_mask(encode_mask(mask), 2, 2), mask > 0)


@pytest.mark.parametrize("mask", [np.zeros(3), np.zeros((2, 2, 1)), np.zeros((0, 4))])
def test_what_is_no_mask_is_refused(mask: np.ndarray) -> None:
    for function in (encode_mask, mask_area, mask_box):
        with pytest.raises(DataError, match="two axes"):
            function(mask)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([], "empty list"),
        ([[]], "ring 0 has 0 numbers"),
        ([SQUARE, [1, 2, 3, 4, 5, 6, 7]], "ring 1 has 7 numbers; x, y pairs"),
        ([[1, 1, 3, 3]], "at least 6"),
        ([[1, 1, NAN, 3, 2, 2]], "not a finite number"),
        ([[1, 1, INF, 3, 2, 2]], "not a finite number"),
        ([[1, 1, 1e12, 3, 2, 2]], "far outside an image of 6 x 8"),
        ([[1, 1, -9000, 3, 2, 2]], "far outside"),
        (SQUARE, "flat list"),
        ([["1", "1", "2", "2", "3", "3"]], "flat list of numbers"),
        ([[[1, 1], [2, 2], [3, 3]]], "ring 0 must be a flat list of numbers"),
        ([[[1, 1], [2, 2, 3]]], "ring 0"),
        ([[1, 1, None, 3, 2, 2]], "flat list of numbers"),
        (["abcdef"], "ring 0 must be a list of numbers"),
        ([{"size": [6, 8]}], "ring 0 must be a list of numbers"),
        (None, "must be a list of polygon rings or a run-length record"),
        ("abc", "must be a list of polygon rings"),
        (7, "must be a list of polygon rings"),
        ({}, "needs 'size'"),
        ({"size": 6, "counts": [48]}, "needs 'size'"),
        ({"size": [6, 8]}, "needs 'counts'"),
        ({"size": [6, 8], "counts": 48}, "needs 'counts'"),
        ({"size": [8, 6], "counts": [48]}, "made for size .*image has \\[6, 8\\]"),
        ({"size": [6, 8], "counts": [47]}, "add up to 47 pixels instead of 6 \\* 8 = 48"),
        ({"size": [6, 8], "counts": [50, -2]}, "negative run"),
        ({"size": [6, 8], "counts": [48.0]}, "whole numbers only"),
        ({"size": [6, 8], "counts": ["48"]}, "whole numbers only"),
        ({"size": [6, 8], "counts": []}, "add up to 0"),
        ({"size": [6, 8], "counts": ""}, "add up to 0"),
        ({"size": [6, 8], "counts": "é"}, "outside ASCII"),
        ({"size": [6, 8], "counts": "0 1"}, "' ' at position 1"),
        ({"size": [6, 8], "counts": b"\xff"}, "never uses"),
        ({"size": [6, 8], "counts": "P"}, "middle of a number"),
        ({"size": [6, 8], "counts": "o" * 100_000}, "number too long"),
        ({"size": [6, 8], "counts": "O"}, "negative run"),
        ({"size": [6, 8], "counts": "111"}, "add up to 3"),
    ],
)
def test_malformed_segmentations_are_refused(segmentation: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        decode_mask(segmentation, 6, 8)


@pytest.mark.parametrize("size", [(0, 8), (6, -1), (6.0, 8), ("6", 8), (True, 8), (2**20, 2**20)])
def test_impossible_sizes_are_refused(size: tuple[Any, Any]) -> None:
    with pytest.raises(DataError, match="mask"):
        decode_mask([SQUARE], *size)


def test_damaged_text_never_crashes() -> None:
    rng = np.random.default_rng(5)
    mask = rng.random((30, 30)) < 0.3
    text = encode_mask(mask)["counts"].encode()
    refused = 0
    for _ in range(2000):
        damaged = bytearray(text)
        damaged[rng.integers(len(damaged))] = rng.integers(256)
        if rng.random() < 0.5:
            del damaged[rng.integers(1, len(damaged)) :]
        try:
            result = decode_mask({"size": [30, 30], "counts": bytes(damaged)}, 30, 30)
        except DataError:
            refused += 1
        else:
            assert result.shape == (30, 30)
    assert refused > 1500
