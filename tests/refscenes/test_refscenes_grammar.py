"""Every expression of the drawn world means exactly one object, by a second reading."""

import copy
import random
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest
from refscenes_evaluator import Parser, SentenceError, denoted

from risbook.refscenes.captions import appearance, caption, position
from risbook.refscenes.expression_generator import normalise
from risbook.refscenes.polygons import decode, rings, segmentation
from risbook.refscenes.records import scene_record
from risbook.refscenes.scene_types import SUPERCATEGORY_OF, Scene, SceneObject, VisibleObject
from risbook.refscenes.semantics import Description, Interpreter, Place, Relation, Trait
from risbook.refscenes.sets import FAMILIES, AnnotatedScene, generate_scene

SCENES = {"refscenes": 45, "refscenesg": 60}
LOCATION_WORDS = {
    "left", "right", "middle", "center", "front", "back", "behind", "next", "beside", "between",
    "near", "nearest", "closest", "farthest", "far", "leftmost", "rightmost", "second", "third",
    "fourth", "fifth", "sixth", "side", "top", "bottom", "facing", "looking", "of", "to", "from",
    "on", "at", "picture", "image", "photo", "standing", "parked",
}  # fmt: skip


@cache
def drawn_scenes() -> list[AnnotatedScene]:
    """A few hundred scenes of all splits."""
    return [
        generate_scene(family, split, index, 77)
        for family in FAMILIES
        for split in family.splits
        for index in range(SCENES[family.sets[0]])
    ]


def spoken(name: str) -> list[tuple[dict[str, Any], int, str, str]]:
    """(facts, annotation id, raw, sent) of all sentences of one set."""
    rows = []
    for drawn in drawn_scenes():
        facts = scene_record(drawn)
        for target, pairs in drawn.spoken.get(name, []):
            rows += [(facts, facts["things"][target]["ann_id"], *pair) for pair in pairs]
    return rows


SETS = ("refscenes", "refscenes+", "refscenesg")


@pytest.mark.parametrize("name", SETS)
def test_every_sentence_means_its_object_alone(name: str) -> None:
    rows = spoken(name)
    wrong = [(sent, own) for facts, own, _, sent in rows if denoted(sent, facts) != {own}]
    assert len(rows) > 300
    assert not wrong, wrong[:5]


def test_the_evaluator_notices_a_wrong_scene() -> None:
    """Told about changed facts, the evaluator no longer finds the object."""
    for field, value in (("kind", "bus"), ("colour", "olive")):
        missed = tried = 0
        for facts, own, _, sent in spoken("refscenes+"):
            words = sent.split()
            thing = next(one for one in facts["things"] if one["ann_id"] == own)
            if (field == "kind" and thing["kind"] == "bus") or (
                field == "colour" and (thing["colour"] not in words or "person" in words)
            ):
                continue
            changed = copy.deepcopy(facts)
            next(one for one in changed["things"] if one["ann_id"] == own)[field] = value
            tried += 1
            missed += own not in denoted(sent, changed)
        assert tried > 100 and missed > 0.9 * tried


def test_the_evaluator_notices_ambiguity_and_refuses_nonsense() -> None:
    thing = {"kind": "dog", "colour": "brown", "pattern": "plain", "height": 40.0, "facing": "left"}
    scene = {
        "width": 100,
        "height": 100,
        "things": [
            {**thing, "ann_id": n, "ground": 80.0, "box": [x, 40, x + 20, 80], "area": 500,
             "visible": 1.0}
            for n, x in ((1, 10), (2, 13), (3, 60))
        ],
    }  # fmt: skip
    assert denoted("brown dog", scene) == {1, 2, 3}
    assert denoted("left dog", scene) == set()  # two of them may be the left one
    assert denoted("dog on the right", scene) == {3}
    assert denoted("white dog", scene) == set()
    assert denoted("biggest dog", scene) == set()
    for nonsense in ("dog dog", "the brown", "dog on", "dog in front of", "purple thing"):
        with pytest.raises(SentenceError):
            Parser(nonsense).sentence()


def test_no_location_word_in_refscenes_plus() -> None:
    words = {word for *_, sent in spoken("refscenes+") for word in sent.split()}
    assert not words & LOCATION_WORDS
    located = {word for *_, sent in spoken("refscenes") for word in sent.split()}
    assert {"left", "right", "middle", "front", "behind", "second", "next"} <= located


@pytest.mark.parametrize(
    ("name", "shortest", "longest"),
    [("refscenes", 3.2, 4.0), ("refscenes+", 3.0, 4.0), ("refscenesg", 8.5, 12.0)],
)
def test_length_and_number_of_sentences(name: str, shortest: float, longest: float) -> None:
    lengths = [len(sent.split()) for *_, sent in spoken(name)]
    assert shortest < np.mean(lengths) < longest
    assert max(lengths) <= 22
    per_object = Counter(own for _, own, _, _ in spoken(name))
    assert set(per_object.values()) <= {1, 2, 3, 4}
    assert np.mean(list(per_object.values())) > 1.6


def test_words_are_few_and_every_kind_is_referred_to() -> None:
    words: set[str] = set()
    kinds: set[str] = set()
    for name in SETS:
        for facts, own, _, sent in spoken(name):
            words |= set(sent.split())
            kinds |= {thing["kind"] for thing in facts["things"] if thing["ann_id"] == own}
    print(f"vocabulary: {len(words)} words")
    assert 90 < len(words) < 150
    assert kinds == set(SUPERCATEGORY_OF)


def test_raw_and_normalised_forms() -> None:
    rows = [row for name in SETS for row in spoken(name)]
    assert all(normalise(raw) == sent for *_, raw, sent in rows)
    assert all(sent == sent.lower() and sent.replace(" ", "").isalpha() for *_, sent in rows)
    assert 0.1 < np.mean([raw != sent for *_, raw, sent in rows]) < 0.9
    assert any("grey" in raw for *_, raw, _ in rows) and any("2nd" in raw for *_, raw, _ in rows)


def test_sentences_of_an_object_differ() -> None:
    for drawn in drawn_scenes():
        for refs in drawn.spoken.values():
            for _, pairs in refs:
                assert len({sent for _, sent in pairs}) == len(pairs)


def test_splits_ask_for_their_theme() -> None:
    for drawn in drawn_scenes():
        groups = {
            drawn.painted.seen[target].thing.group == "people"
            for refs in drawn.spoken.values()
            for target, _ in refs
        }
        if drawn.split in ("testA", "testB"):
            assert groups == {drawn.split == "testA"}


def _row(*xs: float, **changes: Any) -> Interpreter:
    seen = tuple(
        VisibleObject(
            SceneObject("mug", "red", "plain", 20, x, 80, **changes),
            (int(x) - 5, 60, int(x) + 5, 80), 150, 1.0,
        )
        for x in xs
    )  # fmt: skip
    return Interpreter(
        scene=Scene(100, 100, "table", "", tuple(one.thing for one in seen)), seen=seen
    )


def test_worked_examples_of_the_meanings() -> None:
    view = _row(10, 50, 90)
    mug = Description("mug")
    assert view.meaning(mug) == (0b111, 0b111)
    assert view.one(mug) is None
    for place, index in (
        (Place("left"), 0), (Place("middle"), 1), (Place("right"), 2), (Place("front"), None),
        (Place("nth", "left", 2), 1), (Place("side", "right"), 2), (Place("big"), None),
    ):  # fmt: skip
        assert view.one(Description("cup", (Trait("body", "red"),), (place,))) == index, place
    assert _row(10, 14, 90).one(Description("mug", (), (Place("left"),))) is None
    assert _row(10, 17, 90).one(Description("mug", (), (Place("left"),))) == 0
    two = _row(40, 60)
    right = Description("mug", (), (Place("right"),))
    assert two.one(right) == 1
    # a relation needs an anchor that is described uniquely by itself
    assert two.one(Description("mug", (), (), Relation("left", (mug,)))) is None


def test_captions_tell_everything() -> None:
    for drawn in drawn_scenes()[::3]:
        painted = drawn.painted
        for text in (drawn.caption, caption(painted.scene, painted.seen)):
            sentences = [one.lower() for one in text.split(". ")]
            assert len(sentences) == len(painted.seen) + 1
            assert painted.scene.place in sentences[0]
            told = Counter(
                (appearance(one.thing), *position(one, painted.scene)) for one in painted.seen
            )
            for (look, across, depth), count in told.items():
                with_both = [s for s in sentences[1:] if look in s and across in s and depth in s]
                assert len(with_both) >= count, (look, across, depth, text)


def test_captions_vary() -> None:
    painted = drawn_scenes()[0].painted
    texts = {caption(painted.scene, painted.seen, random.Random(n)) for n in range(20)}
    assert len(texts) > 10


def test_segmentations_decode_exactly() -> None:
    kinds: Counter[str | int] = Counter()
    for drawn in drawn_scenes()[::4]:
        painted = drawn.painted
        for number, one in enumerate(painted.seen):
            mask = painted.ids == number + 1
            shape = segmentation(mask, box=one.box)
            kinds["runs" if isinstance(shape, dict) else min(2, len(shape))] += 1
            assert np.array_equal(decode(shape, *mask.shape), mask)
            assert mask.sum() == one.area
    assert {"runs", 1, 2} <= set(kinds)


def test_segmentations_of_random_masks() -> None:
    rng = np.random.default_rng(5)
    for share in (0.1, 0.5, 0.9):
        for _ in range(100):
            mask = rng.random(rng.integers(1, 14, 2)) < share
            shape = segmentation(mask)
            assert np.array_equal(decode(shape, *mask.shape), mask)
            if isinstance(shape, list):
                assert len(shape) >= 1 and all(len(ring) >= 8 for ring in shape)
    assert rings(np.zeros((4, 4))) == []
    ring = np.ones((5, 5))
    ring[2, 2] = 0
    assert rings(ring) is None and isinstance(segmentation(ring), dict)
