"""Rows of the parquet mirrors give the same table as the REFER files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from risbook.data.coco_names import COCO_CATEGORIES
from risbook.data.hf_rows import from_hf_rows
from risbook.data.refer import read_refer
from risbook.errors import DataError

IMAGE = {"id": 3, "file_name": "COCO_train2014_000000000003.jpg", "height": 8, "width": 9}
ANNOTATION = {
    "id": 50,
    "image_id": 3,
    "category_id": 18,
    "bbox": [1.0, 1.0, 4.0, 4.0],
    "segmentation": [[1.0, 1.0, 5.0, 1.0, 5.0, 5.0]],
    "iscrowd": 0,
}


def row(**changes: Any) -> dict[str, Any]:
    """Make a row as ``jxu124/refcoco`` has it, with changes."""
    fields: dict[str, Any] = {
        "sent_ids": [4, 5],
        "file_name": "COCO_train2014_000000000003_1.jpg",
        "ann_id": 50,
        "ref_id": 2,
        "image_id": 3,
        "split": "train",
        "sentences": [
            {"raw": "Dog!", "sent": "dog", "sent_id": 4, "tokens": ["dog"]},
            {"raw": "left dog", "sent": "left dog", "sent_id": 5, "tokens": ["left", "dog"]},
        ],
        "category_id": 18,
        "raw_anns": json.dumps(ANNOTATION),
        "raw_image_info": json.dumps(IMAGE),
        "image_path": "coco/train2014/COCO_train2014_000000000003.jpg",
        "bbox": [1.0, 1.0, 5.0, 5.0],
    }
    return fields | changes


def test_categories_are_the_80_of_coco() -> None:
    assert len(COCO_CATEGORIES) == 80
    assert (COCO_CATEGORIES[1], COCO_CATEGORIES[18], COCO_CATEGORIES[90]) == (
        "person",
        "dog",
        "toothbrush",
    )
    assert COCO_CATEGORIES[11] == "fire hydrant"
    assert not {12, 26, 29, 30, 45, 66, 68, 69, 71, 83} & set(COCO_CATEGORIES)


def test_a_row_becomes_its_sentences() -> None:
    table = from_hf_rows([row()])
    assert [one.sent for one in table] == ["dog", "left dog"]
    first = table[0]
    # The row's own box has corners; the annotation has COCO's sides.
    assert first.bbox == (1.0, 1.0, 4.0, 4.0)
    assert (first.category, first.raw, first.file_name) == ("dog", "Dog!", IMAGE["file_name"])
    assert (first.height, first.width, first.segmentation) == (8, 9, ANNOTATION["segmentation"])


def test_other_containers_hold_the_same() -> None:
    table = from_hf_rows([row()])
    sentences = row()["sentences"]
    columns = {key: [one[key] for one in sentences] for key in sentences[0]}
    arrays = {
        "ref_id": np.int64(2),
        "sent_ids": np.array([4, 5]),
        "sentences": np.array(sentences, dtype=object),
    }
    assert from_hf_rows([row(sentences=columns)]) == table
    assert from_hf_rows([row(**arrays)]) == table
    assert from_hf_rows([row(raw_anns=ANNOTATION, raw_image_info=IMAGE)]) == table
    others = json.dumps([{**ANNOTATION, "id": 49}, ANNOTATION])
    assert from_hf_rows([row(raw_anns=others)]) == table
    assert from_hf_rows(iter([row()])) == table


@pytest.mark.parametrize(
    ("split", "partition", "expected"),
    [
        ("test", "unc", "testA"),
        ("testB", "unc", "testB"),
        ("validation", "unc", "val"),
        ("val", "unc", "val"),
        ("test", "umd", "test"),
        ("validation", "umd", "val"),
    ],
)
def test_split_names_of_the_mirrors(split: str, partition: str, expected: str) -> None:
    assert from_hf_rows([row(split=split)], partition=partition).splits == (expected,)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"raw_anns": "{"}, "field 'raw_anns' is not valid JSON"),
        ({"raw_image_info": "x"}, "field 'raw_image_info' is not valid JSON"),
        ({"raw_image_info": "[1]"}, "expected a record"),
        ({"raw_anns": "3"}, "raw_anns: expected a record"),
        ({"raw_anns": json.dumps({**ANNOTATION, "id": 51})}, "holds no annotation with id 50"),
        ({"raw_anns": "[]"}, "holds no annotation with id 50"),
        ({"raw_anns": json.dumps({**ANNOTATION, "category_id": 12})}, "there is no category 12"),
        ({"raw_anns": json.dumps({**ANNOTATION, "image_id": 4})}, "belongs to image 4"),
        ({"raw_image_info": json.dumps({**IMAGE, "id": 4})}, "raw_image_info is about image 4"),
        ({"ref_id": "2"}, "field 'ref_id' must be an int, got str '2'"),
        ({"sent_ids": [4]}, "'sent_ids' is list"),
        ({"sentences": {"sent_id": [4], "raw": ["a"]}}, "field 'sent' is missing"),
        ({"sentences": {"sent_id": [4], "raw": ["a"], "sent": []}}, "columns of unequal length"),
        ({"sentences": None}, "field 'sentences' must be a list"),
    ],
)
def test_a_bad_row_is_named(changes: dict[str, Any], message: str) -> None:
    good = row(sent_ids=[0], ref_id=0, sentences=[{"sent_id": 0, "raw": "a", "sent": "a"}])
    with pytest.raises(DataError, match=message) as caught:
        from_hf_rows([good, row(**changes)], source="val.parquet")
    assert str(caught.value).startswith("val.parquet: row 1 (ref_id ")


def test_what_is_no_row_is_refused() -> None:
    with pytest.raises(DataError, match="rows: row 0: expected a record"):
        from_hf_rows([None])  # type: ignore[list-item]


def test_a_missing_column_is_named() -> None:
    for key in ("ref_id", "ann_id", "image_id", "split", "raw_anns", "raw_image_info"):
        bad = row()
        del bad[key]
        with pytest.raises(DataError, match=f"field '{key}' is missing"):
            from_hf_rows([bad])


def test_both_front_ends_give_the_same_table(photographs: Path) -> None:
    folder = photographs / "mini_refcoco" / "refcoco"
    if not folder.is_dir():
        pytest.skip("the real excerpt of RefCOCO is not here")
    instances = json.loads((folder / "instances.json").read_text())
    anns = {one["id"]: one for one in instances["annotations"]}
    images = {one["id"]: one for one in instances["images"]}

    def rows() -> Iterator[dict[str, Any]]:
        for ref in json.loads((folder / "refs(unc).json").read_text()):
            yield {
                **ref,
                # The mirror calls the split of people "test".
                "split": "test" if ref["split"] == "testA" else ref["split"],
                "raw_anns": json.dumps(anns[ref["ann_id"]]),
                "raw_image_info": json.dumps(images[ref["image_id"]]),
            }

    table = from_hf_rows(rows())
    assert table == read_refer(folder)
    assert len(table) == 44
