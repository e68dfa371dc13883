"""A sentence needs its anchor if the words before the relation fit several objects."""

import numpy as np
import pytest

from risbook.teaching import Example, SceneObject, drop_anchor, names_side, needs_anchor

MASK = np.ones((2, 2), dtype=bool)
KID, OTHER_KID, LADY = (
    SceneObject(number, category, "", MASK)
    for number, category in enumerate(("child", "child", "woman"))
)


def example(sentence: str, *objects: SceneObject) -> Example:
    return Example(sentence, 1, -1, objects, objects[0])


@pytest.mark.parametrize(
    ("sentence", "needed"),
    [
        ("kid in front of lady", True),
        ("kid left of lady", True),
        ("red kid left of lady", False),
        ("left kid behind lady", False),
        ("kid", False),
    ],
)
def test_words_before_the_relation_decide(sentence, needed):
    assert needs_anchor(example(sentence, KID, OTHER_KID, LADY)) is needed


def test_one_object_of_the_category_needs_no_anchor():
    assert not needs_anchor(example("kid in front of lady", KID, LADY))


def test_sides_are_told_from_other_relations():
    assert names_side(example("kid left of lady", KID)) and names_side(example("a right of b", KID))
    assert not names_side(example("left kid behind lady", KID))


def test_the_anchor_is_dropped_and_the_relation_stays():
    assert drop_anchor("left kid behind the tall lady") == "left kid behind"
    assert drop_anchor("red kid") == "red kid"
