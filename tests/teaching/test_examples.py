"""Examples: every expression with all objects of its image, decoded once per image."""

import json
from dataclasses import replace

import numpy as np
import pytest

from risbook.data import open_data
from risbook.errors import DataError
from risbook.teaching import load_examples, load_objects


@pytest.fixture(scope="module")
def sample():
    return open_data("refscenes-sample")


@pytest.fixture(scope="module")
def examples(sample):
    return load_examples(sample, "val")


def test_the_target_is_the_described_object(sample, examples):
    rows = list(sample.expressions.split("val"))
    assert len(examples) == len(rows)
    for example, row in zip(examples, rows, strict=True):
        assert (example.sentence, example.sent_id) == (row.sent, row.sent_id)
        assert example.image_id == row.image_id
        assert any(obj is example.target for obj in example.objects)
        assert example.target.category == row.category
        assert np.array_equal(example.target.mask, sample.mask(row))


def test_same_category_holds_the_target_and_its_like(examples):
    for example in examples:
        assert example.target in example.same_category
        assert {obj.category for obj in example.same_category} == {example.target.category}
        others = [obj for obj in example.objects if obj not in example.same_category]
        assert example.target.category not in {obj.category for obj in others}


def test_expressions_of_one_image_share_its_objects(examples):
    objects_of = {}
    for example in examples:
        assert objects_of.setdefault(example.image_id, example.objects) is example.objects
    assert len(objects_of) < len(examples)


def test_objects_have_the_recorded_colours_areas_and_centres(sample):
    objects = load_objects(sample, 1000006)
    assert [obj.category for obj in objects] == ["sheep", "woman", "sheep", "sheep", "sheep"]
    assert [obj.colour for obj in objects] == ["black", "orange", "white", "white", "white"]
    for obj in objects:
        rows, columns = np.nonzero(obj.mask)
        assert obj.area == len(rows)
        assert obj.centre == pytest.approx((columns.mean(), rows.mean()))
    assert min(objects, key=lambda obj: obj.centre[0]) is objects[2]


def test_colours_are_empty_without_a_record_and_a_broken_record_is_refused(sample, tmp_path):
    bare = replace(sample, folder=tmp_path)
    assert {obj.colour for obj in load_objects(bare, 1000006)} == {""}
    (tmp_path / "scenes.json").write_text(json.dumps({"1": {"objects": []}}))
    with pytest.raises(DataError, match=r"scenes\.json"):
        load_objects(bare, 1000006)
