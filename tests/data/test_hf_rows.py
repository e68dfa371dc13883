"""Rows of the parquet mirrors give the same table as the REFER files."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from risbook.data import load, open_data
from risbook.data.coco_names import COCO_CATEGORIES
from risbook.data.hf_rows import from_hf_rows, open_hf_rows
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
    table = from_hf_rows([row()]).expressions
    assert [expression.sent for expression in table] == ["dog", "left dog"]
    first = table[0]
    # The row's own box has corners; the annotation has COCO's sides.
    assert first.bbox == (1.0, 1.0, 4.0, 4.0)
    assert (first.category, first.raw, first.file_name) == ("dog", "Dog!", IMAGE["file_name"])
    assert (first.height, first.width, first.segmentation) == (8, 9, ANNOTATION["segmentation"])


def test_other_containers_hold_the_same() -> None:
    table = from_hf_rows([row()]).expressions
    sentences = row()["sentences"]
    columns = {key: [record[key] for record in sentences] for key in sentences[0]}
    arrays = {
        "ref_id": np.int64(2),
        "sent_ids": np.array([4, 5]),
        "sentences": np.array(sentences, dtype=object),
    }
    assert from_hf_rows([row(sentences=columns)]).expressions == table
    assert from_hf_rows([row(**arrays)]).expressions == table
    assert from_hf_rows([row(raw_anns=ANNOTATION, raw_image_info=IMAGE)]).expressions == table
    others = json.dumps([{**ANNOTATION, "id": 49}, ANNOTATION])
    assert from_hf_rows([row(raw_anns=others)]).expressions == table
    assert from_hf_rows(iter([row()])).expressions == table


@pytest.mark.parametrize(
    ("split", "partition", "expected"),
    [
        ("test", "unc", "testA"),
        ("testB", "unc", "testB"),
        ("validation", "unc", "val"),
        ("val", "unc", "val"),
        ("test", "umd", "test"),
        ("test", None, "test"),
        ("validation", "umd", "val"),
    ],
)
def test_split_names_of_the_mirrors(split: str, partition: str | None, expected: str) -> None:
    assert from_hf_rows([row(split=split)], partition=partition).splits == (expected,)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"raw_anns": "{"}, "field 'raw_anns': is not valid JSON"),
        ({"raw_image_info": "x"}, "field 'raw_image_info': is not valid JSON"),
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


def test_the_split_testb_tells_that_test_is_testa() -> None:
    sentences = [{"sent_id": 9, "raw": "dog", "sent": "dog"}]
    other = row(split="testB", ref_id=3, sent_ids=[9], sentences=sentences)
    data = from_hf_rows([row(split="test"), other])
    assert data.splits == ("testA", "testB")
    assert data.partition == "unc"


def jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (9, 8), (0, 0, 255)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize("image", [jpeg(), {"bytes": jpeg(), "path": None}])
def test_images_come_as_bytes(image: Any) -> None:
    data = from_hf_rows([row(image=image)])
    assert data.image(3).shape == (8, 9, 3)
    assert np.abs(data.image(data.expressions[0]).astype(int) - (0, 0, 255)).max() < 8


@pytest.mark.parametrize(
    ("columns", "place"),
    [
        ({}, "coco/train2014/COCO_train2014_000000000003.jpg"),
        ({}, "COCO_train2014_000000000003.jpg"),
        ({"image_path": "img/3.jpg"}, "img/3.jpg"),
        ({"image": "img/3.jpg"}, "img/3.jpg"),
        ({"image": {"bytes": None, "path": "3.jpg"}}, "3.jpg"),
        ({"image": "/home/somebody/coco/3.jpg"}, "3.jpg"),
        ({"image": "../../3.jpg"}, "3.jpg"),
        ({"image_path": None}, "COCO_train2014_000000000003.jpg"),
    ],
)
def test_images_come_as_paths(tmp_path: Path, columns: dict[str, Any], place: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jpeg())
    rows_file = tmp_path / "rows.jsonl"
    rows_file.write_text(json.dumps(row(**columns)) + "\n\n")
    assert open_hf_rows(rows_file).image_path(3) == path
    other = tmp_path / "elsewhere" / "rows.jsonl"
    other.parent.mkdir()
    rows_file.rename(other)
    assert open_hf_rows(other, images=tmp_path).image_path(3) == path
    with pytest.raises(DataError, match=r"image 3 \(COCO_.* is in none of: .*elsewhere"):
        open_hf_rows(other).image(3)


def test_an_image_of_another_size_or_type_is_named(tmp_path: Path) -> None:
    small = row(raw_image_info=json.dumps({**IMAGE, "height": 9}), image=jpeg())
    data = from_hf_rows([small], source="rows.parquet")
    with pytest.raises(DataError, match=r"rows\.parquet: image 3: has 8 x 9 pixels"):
        data.image(3)
    with pytest.raises(DataError, match="'image' must be the bytes of a file or a path, got Image"):
        from_hf_rows([row(image=Image.new("RGB", (9, 8)))])


def test_json_files_and_parquet_files_are_datasets(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    rows = [row(image=jpeg())]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")
    rows = [row(split="testB", image=None)]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    (tmp_path / "rows.jsonl").write_text(json.dumps(rows[0]))
    data = load(f"hf:{tmp_path / 'rows.parquet'}", image_size=16)
    assert (data.name, data.split) == (f"hf:{tmp_path / 'rows.parquet'}", "train")
    assert data[1]["text"] == "left dog"
    assert data[1]["image"].shape == (3, 16, 16)
    assert data.image(0).shape == (8, 9, 3)
    for name in ("rows.json", "rows.jsonl"):
        assert open_data(f"hf:{tmp_path / name}").splits == ("testB",)
    # A download of the hub is a folder with a file per split.
    (tmp_path / "hub" / "data").mkdir(parents=True)
    for number, split in enumerate(("train", "validation", "test", "testB")):
        sentences = [{"sent_id": number, "raw": "dog", "sent": "dog"}]
        rows = [row(split=split, ref_id=number, sent_ids=[number], sentences=sentences)]
        name = f"{split}-00000-of-00001.parquet"
        parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "hub" / "data" / name)
    assert open_data(f"hf:{tmp_path / 'hub'}").splits == ("train", "val", "testA", "testB")


def test_files_that_are_no_rows_are_named(tmp_path: Path, monkeypatch: Any) -> None:
    for name, text, message in [
        ("a.json", "{}", r"a\.json: expected a list of rows"),
        ("b.json", "[]", r"b\.json: holds no row"),
        ("c.jsonl", "{}\n[\n", r"c\.jsonl: row 0 .*'ann_id' is missing"),
        ("d.jsonl", "{", r"d\.jsonl: line 1: is not valid JSON"),
        ("e.csv", "a,b", r"e\.csv: rows are read from \.parquet, \.jsonl and \.json"),
    ]:
        (tmp_path / name).write_text(text)
        with pytest.raises(DataError, match=message):
            open_data(f"hf:{tmp_path / name}")
    with pytest.raises(DataError, match=r"holds no \.parquet file"):
        open_data(f"hf:{tmp_path}")
    for name in ("nothing.json", "nothing.jsonl"):
        with pytest.raises(DataError, match=r"nothing.*: cannot be read"):
            open_data(f"hf:{tmp_path / name}")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(DataError, match=r"x\.parquet: reading parquet needs the library pyarrow"):
        open_data("hf:x.parquet")


def test_broken_parquet_is_named(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "rows.parquet"
    with pytest.raises(DataError, match="there is no such file"):
        open_data(f"hf:{path}")
    for content in (b"", b"PAR1", b"PAR1" + bytes(50) + b"PAR1"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"rows\.parquet: is not a parquet file"):
            open_data(f"hf:{path}")


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
    anns = {record["id"]: record for record in instances["annotations"]}
    images = {record["id"]: record for record in instances["images"]}

    def rows() -> Iterator[dict[str, Any]]:
        for ref in json.loads((folder / "refs(unc).json").read_text()):
            yield {
                **ref,
                # The mirror calls the split of people "test".
                "split": "test" if ref["split"] == "testA" else ref["split"],
                "raw_anns": json.dumps(anns[ref["ann_id"]]),
                "raw_image_info": json.dumps(images[ref["image_id"]]),
            }

    table = from_hf_rows(rows(), partition="unc").expressions
    assert table == read_refer(folder)
    assert len(table) == 44
