"""Every expression of RefScenes denotes exactly one object, by an independent evaluator."""

import copy
import random
import re
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest
from refscenes_evaluator import Parser, SentenceError, denoted

from risbook.data.masks import decode_mask
from risbook.refscenes.captions import appearance, caption, location
from risbook.refscenes.descriptions import Attribute, Description, Relation, Selector
from risbook.refscenes.polygons import rings, segmentation
from risbook.refscenes.records import scene_record
from risbook.refscenes.scene_types import SUPERCATEGORY_OF, Scene, SceneObject, VisibleObject
from risbook.refscenes.semantics import Interpreter
from risbook.refscenes.sets import FAMILIES, AnnotatedScene, generate_scene

SCENES = {"refscenes": 45, "refscenesg": 60, "refscenes-unseen": 45}
LOCATION_WORDS = {
    "left", "right", "middle", "center", "front", "back", "behind", "next", "beside", "between",
    "near", "nearest", "closest", "farthest", "far", "leftmost", "rightmost", "second", "third",
    "fourth", "fifth", "sixth", "side", "top", "bottom", "facing", "looking", "of", "to", "from",
    "on", "at", "picture", "image", "photo", "standing", "parked",
}  # fmt: skip


@cache
def annotated_scenes() -> list[AnnotatedScene]:
    """A few hundred scenes of all splits."""
    return [
        generate_scene(family, split, index, 77)
        for family in FAMILIES
        for split in family.splits
        for index in range(SCENES[family.sets[0]])
    ]


def sentence_rows(name: str) -> list[tuple[dict[str, Any], int, str, str]]:
    """(record, annotation id, raw, sent) of all sentences of one set."""
    rows = []
    for annotated in annotated_scenes():
        record = scene_record(annotated)
        for target, pairs in annotated.expressions.get(name, []):
            rows += [(record, record["things"][target]["ann_id"], *pair) for pair in pairs]
    return rows


SETS = ("refscenes", "refscenes+", "refscenesg", "refscenes-unseen")


@pytest.mark.parametrize("name", SETS)
def test_every_sentence_denotes_its_object_alone(name: str) -> None:
    rows = sentence_rows(name)
    wrong = [
        (sent, target) for record, target, _, sent in rows if denoted(sent, record) != {target}
    ]
    assert len(rows) > 300
    assert not wrong, wrong[:5]


def object_by_id(record: dict[str, Any], ann_id: int) -> dict[str, Any]:
    return next(obj for obj in record["things"] if obj["ann_id"] == ann_id)


def test_the_evaluator_notices_a_wrong_scene() -> None:
    """After the facts are changed, sentences no longer denote their object."""
    for field, value in (("kind", "bus"), ("colour", "olive")):
        missed = tried = 0
        for record, target, _, sent in sentence_rows("refscenes+"):
            words, obj = sent.split(), object_by_id(record, target)
            if (field == "kind" and obj["kind"] == "bus") or (
                field == "colour" and (obj["colour"] not in words or "person" in words)
            ):
                continue
            changed = copy.deepcopy(record)
            object_by_id(changed, target)[field] = value
            tried += 1
            missed += target not in denoted(sent, changed)
        assert tried > 100 and missed > 0.9 * tried


def test_the_evaluator_notices_ambiguity_and_refuses_nonsense() -> None:
    obj = {"kind": "dog", "colour": "brown", "pattern": "plain", "height": 40.0, "facing": "left"}
    scene = {
        "width": 100,
        "height": 100,
        "things": [
            {**obj, "ann_id": n, "ground": 80.0, "box": [x, 40, x + 20, 80], "area": 500,
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


@pytest.mark.parametrize("name", ["refscenes+", "refscenes-unseen"])
def test_no_location_word_in_the_style_of_refscenes_plus(name: str) -> None:
    words = {word for *_, sent in sentence_rows(name) for word in sent.split()}
    assert not words & LOCATION_WORDS
    located = {word for *_, sent in sentence_rows("refscenes") for word in sent.split()}
    assert {"left", "right", "middle", "front", "behind", "second", "next"} <= located


@pytest.mark.parametrize(
    ("name", "shortest", "longest"),
    [
        ("refscenes", 3.2, 4.0),
        ("refscenes+", 3.0, 4.0),
        ("refscenesg", 8.5, 12.0),
        ("refscenes-unseen", 3.0, 4.0),
    ],
)
def test_length_and_number_of_sentences(name: str, shortest: float, longest: float) -> None:
    lengths = [len(sent.split()) for *_, sent in sentence_rows(name)]
    assert shortest < np.mean(lengths) < longest
    assert max(lengths) <= 22
    per_object = Counter(target for _, target, _, _ in sentence_rows(name))
    assert set(per_object.values()) <= {1, 2, 3, 4}
    assert np.mean(list(per_object.values())) > 1.6


def test_words_are_few_and_every_category_is_referred_to() -> None:
    words: set[str] = set()
    categories: set[str] = set()
    for name in SETS:
        for record, target, _, sent in sentence_rows(name):
            words |= set(sent.split())
            categories.add(object_by_id(record, target)["kind"])
    print(f"vocabulary: {len(words)} words")
    assert 90 < len(words) < 150
    assert categories == set(SUPERCATEGORY_OF)


def normalise(raw: str) -> str:
    """Bring a raw sentence into the form that the REFER files call ``sent``."""
    words = re.sub(r"[^a-z0-9 ]", "", raw.lower()).split()
    spelling = {"grey": "gray", "2nd": "second", "3rd": "third", "4th": "fourth", "5th": "fifth"}
    return " ".join(spelling.get(word, word) for word in words)


def test_raw_and_normalised_forms() -> None:
    rows = [row for name in SETS for row in sentence_rows(name)]
    assert all(normalise(raw) == sent for *_, raw, sent in rows)
    assert all(sent == sent.lower() and sent.replace(" ", "").isalpha() for *_, sent in rows)
    assert 0.1 < np.mean([raw != sent for *_, raw, sent in rows]) < 0.9
    assert any("grey" in raw for *_, raw, _ in rows) and any("2nd" in raw for *_, raw, _ in rows)


def test_sentences_of_an_object_differ() -> None:
    for annotated in annotated_scenes():
        for refs in annotated.expressions.values():
            for _, pairs in refs:
                assert len({sent for _, sent in pairs}) == len(pairs)


def test_splits_refer_to_their_supercategories() -> None:
    for annotated in annotated_scenes():
        are_people = {
            annotated.rendered.visible_objects[target].obj.supercategory == "people"
            for refs in annotated.expressions.values()
            for target, _ in refs
        }
        if annotated.split in ("testA", "testB"):
            assert are_people == {annotated.split == "testA"}


def mugs_at(*xs: float, **changes: Any) -> Interpreter:
    visible_objects = tuple(
        VisibleObject(
            SceneObject("mug", "red", "plain", 20, x, 80, **changes),
            (int(x) - 5, 60, int(x) + 5, 80), 150, 1.0,
        )
        for x in xs
    )  # fmt: skip
    objects = tuple(visible.obj for visible in visible_objects)
    scene = Scene(100, 100, "table", "", objects)
    return Interpreter(scene=scene, visible_objects=visible_objects)


def test_worked_examples_of_the_semantics() -> None:
    interpreter = mugs_at(10, 50, 90)
    mug = Description("mug")
    assert interpreter.denote(mug) == ({0, 1, 2}, {0, 1, 2})
    assert interpreter.referent(mug) is None
    for selector, index in (
        (Selector("left"), 0), (Selector("middle"), 1), (Selector("right"), 2),
        (Selector("front"), None), (Selector("nth", "left", 2), 1), (Selector("side", "right"), 2),
        (Selector("big"), None),
    ):  # fmt: skip
        red_cup = Description("cup", (Attribute("body", "red"),), (selector,))
        assert interpreter.referent(red_cup) == index, selector
    assert mugs_at(10, 14, 90).referent(Description("mug", (), (Selector("left"),))) is None
    assert mugs_at(10, 17, 90).referent(Description("mug", (), (Selector("left"),))) == 0
    two = mugs_at(40, 60)
    right = Description("mug", (), (Selector("right"),))
    assert two.referent(right) == 1
    # a relation needs an anchor that is described uniquely by itself
    assert two.referent(Description("mug", (), (), Relation("left", (mug,)))) is None


def test_captions_name_every_object() -> None:
    for annotated in annotated_scenes()[::3]:
        rendered = annotated.rendered
        for text in (annotated.caption, caption(rendered.scene, rendered.visible_objects)):
            sentences = [sentence.lower() for sentence in text.split(". ")]
            assert len(sentences) == len(rendered.visible_objects) + 1
            assert rendered.scene.background in sentences[0]
            counts = Counter(
                (appearance(visible.obj), *location(visible, rendered.scene))
                for visible in rendered.visible_objects
            )
            for phrases, count in counts.items():
                matching = [s for s in sentences[1:] if all(phrase in s for phrase in phrases)]
                assert len(matching) >= count, (phrases, text)


def test_captions_vary() -> None:
    rendered = annotated_scenes()[0].rendered
    texts = {caption(rendered.scene, rendered.visible_objects, random.Random(n)) for n in range(20)}
    assert len(texts) > 10


def test_segmentations_decode_exactly() -> None:
    forms: Counter[str | int] = Counter()
    for annotated in annotated_scenes()[::4]:
        rendered = annotated.rendered
        for index, visible in enumerate(rendered.visible_objects):
            mask = rendered.instance_ids == index + 1
            shape = segmentation(mask, box=visible.box)
            forms["runs" if isinstance(shape, dict) else min(2, len(shape))] += 1
            assert np.array_equal(decode_mask(shape, *mask.shape), mask)
            assert mask.sum() == visible.area
    assert {"runs", 1, 2} <= set(forms)


def test_segmentations_of_random_masks() -> None:
    rng = np.random.default_rng(5)
    for share in (0.1, 0.5, 0.9):
        for _ in range(100):
            mask = rng.random(rng.integers(1, 14, 2)) < share
            shape = segmentation(mask)
            assert np.array_equal(decode_mask(shape, *mask.shape), mask)
            if isinstance(shape, list):
                assert len(shape) >= 1 and all(len(ring) >= 8 for ring in shape)
    assert rings(np.zeros((4, 4))) == []
    ring = np.ones((5, 5))
    ring[2, 2] = 0
    assert rings(ring) is None and isinstance(segmentation(ring), dict)
