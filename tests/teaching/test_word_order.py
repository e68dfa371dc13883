"""Pairs of sentences with the same words: the sentences are true, and their objects differ."""

import numpy as np

from risbook.data import open_data
from risbook.data.sample_list import from_samples
from risbook.teaching import count_selected_pairs, same_word_pairs, select_object


def box(left: int, right: int) -> np.ndarray:
    mask = np.zeros((10, 100), dtype=bool)
    mask[:, left:right] = True
    return mask


def scene(*objects: tuple[str, int]):
    """One image with an object of 10 columns at each place, and a sentence about each."""
    image = np.zeros((10, 100, 3), dtype=np.uint8)
    samples = [
        {"image": image, "text": category, "mask": box(left, left + 10), "category": category}
        for category, left in objects
    ]
    return from_samples(samples, name="scenes")


def test_the_object_between_two_others_makes_a_pair():
    data = scene(("dog", 80), ("cat", 40), ("dog", 0))
    (pair,) = same_word_pairs(data, data.splits[0])
    assert pair.sentences == ("dog left of cat", "cat left of dog")
    centres = [
        np.nonzero(data.objects(pair.image_id)[place][1])[1].mean() for place in pair.targets
    ]
    assert centres == [4.5, 44.5]


def test_other_scenes_make_none():
    for objects in (
        [("dog", 0), ("cat", 40)],  # "cat left of dog" is false
        [("dog", 0), ("cat", 85), ("dog", 60)],  # the cat is not between the dogs
        [("dog", 0), ("cat", 5), ("dog", 60)],  # nearer than the margin
        [("dog", 0), ("cat", 40), ("dog", 80), ("cat", 60)],  # which cat?
    ):
        data = scene(*objects)
        assert not same_word_pairs(data, data.splits[0])


def test_pairs_do_not_depend_on_the_scale():
    small, large = open_data("refscenes-sample"), open_data("refscenes-sample", scale=2)
    pairs = [same_word_pairs(data, split) for data in (small, large) for split in small.splits]
    half = len(pairs) // 2
    assert pairs[:half] == pairs[half:]
    assert any(pairs)


def test_the_selected_object_has_the_largest_iou():
    objects = [("dog", box(0, 10)), ("cat", box(40, 60))]
    assert select_object(box(5, 50), objects) == 1
    assert select_object(box(0, 60), objects) == 1
    assert select_object(box(70, 80), objects) is None
    assert select_object(box(0, 1), []) is None


class Names:
    """Predicts the mask of an object whose category the sentence names at a place."""

    def __init__(self, objects, place: int):
        self.masks, self.place = dict(reversed(objects)), place  # the first of a category counts

    def predict(self, image, sentence):
        return self.masks[sentence.split()[self.place]]


def test_a_pair_counts_if_both_objects_are_selected():
    data = scene(("dog", 0), ("cat", 40), ("dog", 80))
    pairs = same_word_pairs(data, data.splits[0])
    objects = data.objects(pairs[0].image_id)
    assert count_selected_pairs(Names(objects, 0), data, pairs) == 1  # the word that comes first
    assert count_selected_pairs(Names(objects, -1), data, pairs) == 0
    always_cat = Names([("left", objects[1][1])], 1)
    assert count_selected_pairs(always_cat, data, pairs) == 0
