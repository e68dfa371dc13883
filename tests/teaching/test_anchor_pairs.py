"""Pairs of sentences that differ in their anchor describe different objects of one category."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from risbook.data import open_data
from risbook.teaching import anchor_pairs

WIDTH = 200


def scene(*objects: tuple[str, int]) -> Any:
    """A set of one image, with objects of 10 by 10 pixels at the given columns."""
    pairs = []
    for category, left in objects:
        mask = np.zeros((100, WIDTH), bool)
        mask[60:70, left : left + 10] = True
        pairs.append((category, mask))
    rows = [SimpleNamespace(image_id=1)]
    annotations = [SimpleNamespace(ann_id=10 + place) for place in range(len(pairs))]
    return SimpleNamespace(
        expressions=SimpleNamespace(split=lambda name: rows),
        objects=lambda image_id: pairs,
        instances=SimpleNamespace(annotations_of=lambda image_id: annotations),
        folder=open_data("refscenes-sample").folder.parent,
    )


def sentences_and_targets(*objects: tuple[str, int]) -> list[tuple[str, int, str, int]]:
    pairs = anchor_pairs(scene(*objects), "val")
    return [(a.sentence, a.target.ann_id, b.sentence, b.target.ann_id) for a, b in pairs]


def test_a_pair_names_two_objects_of_one_category():
    pair = ("ball next to lamp", 13, "ball next to mug", 10)
    assert sentences_and_targets(("ball", 10), ("mug", 25), ("lamp", 150), ("ball", 165)) == [pair]


def test_no_pair_where_a_sentence_is_unclear():
    assert not sentences_and_targets(
        ("ball", 10), ("mug", 25), ("lamp", 150), ("ball", 120), ("ball", 165)
    )
    assert not sentences_and_targets(("ball", 10), ("mug", 25), ("lamp", 40), ("ball", 190))
    assert not sentences_and_targets(("ball", 10), ("mug", 25), ("mug", 150), ("ball", 165))


def test_pairs_of_a_drawn_set():
    for first, second in anchor_pairs(open_data("refscenes-sample"), "val"):
        assert first.target is not second.target and first.objects is second.objects
        assert first.target.category == second.target.category
