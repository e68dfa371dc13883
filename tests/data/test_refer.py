"""Reading the REFER layout: good folders, and every way a record can be wrong."""

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from risbook.data.hf_rows import from_hf_rows
from risbook.data.instances import read_instances
from risbook.data.masks import decode_mask, mask_area
from risbook.data.refer import list_partitions, read_refer
from risbook.errors import DataError

RING = [1.0, 1.0, 5.0, 1.0, 5.0, 5.0, 1.0, 5.0]
INSTANCES: dict[str, Any] = {
    "images": [
        {"id": 11, "file_name": "COCO_train2014_000000000011.jpg", "height": 8, "width": 10},
        {"id": 12, "file_name": "COCO_train2014_000000000012.jpg", "height": 6, "width": 6},
    ],
    "annotations": [
        {
            "id": 101,
            "image_id": 11,
            "category_id": 1,
            "bbox": [1, 1, 4, 4],
            "segmentation": [RING],
            "area": 16,
            "iscrowd": 0,
        },
        {
            "id": 102,
            "image_id": 12,
            "category_id": 18,
            "bbox": [1.5, 1.5, 2, 2],
            "segmentation": [RING],
        },
        {
            "id": 103,
            "image_id": 11,
            "category_id": 18,
            "bbox": [0, 0, 0, 4],
            "segmentation": {"size": [8, 10], "counts": [76, 4]},
            "iscrowd": 1,
        },
    ],
    "categories": [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}],
}
REFS: list[dict[str, Any]] = [
    {
        "ref_id": 0,
        "ann_id": 101,
        "image_id": 11,
        "category_id": 1,
        "split": "train",
        "file_name": "COCO_train2014_000000000011_0.jpg",
        "sent_ids": [0, 1],
        "sentences": [
            {"sent_id": 0, "raw": "The Man.", "sent": "the man", "tokens": ["the", "man"]},
            {"sent_id": 1, "raw": "...", "sent": "", "tokens": []},
        ],
    },
    {
        "ref_id": 7,
        "ann_id": 102,
        "image_id": 12,
        "category_id": 18,
        "split": "testA",
        "file_name": "COCO_train2014_000000000012_3.jpg",
        "sent_ids": [5],
        "sentences": [{"sent_id": 5, "raw": "dog", "sent": "dog", "tokens": ["dog"]}],
    },
]


def write(folder: Path, *, refs: Any = REFS, instances: Any = INSTANCES) -> Path:
    """Write a dataset folder with a pickle of Python 2's protocol."""
    folder.mkdir(exist_ok=True)
    (folder / "instances.json").write_text(json.dumps(instances))
    (folder / "refs(unc).p").write_bytes(pickle.dumps(refs, protocol=2))
    return folder


def test_rows_hold_what_the_files_say(tmp_path: Path) -> None:
    table = read_refer(write(tmp_path / "set"))
    assert len(table) == 3
    first, second, third = table
    assert (first.sent_id, first.ref_id, first.ann_id, first.image_id) == (0, 0, 101, 11)
    assert (first.raw, first.sent, first.split, first.category) == (
        "The Man.",
        "the man",
        "train",
        "person",
    )
    assert (first.bbox, first.height, first.width) == ((1.0, 1.0, 4.0, 4.0), 8, 10)
    assert first.segmentation == [RING]
    # The ref's own file name is no file.
    assert first.file_name == "COCO_train2014_000000000011.jpg"
    # A sentence of punctuation only keeps its place, so that counts stay true.
    assert (second.raw, second.sent) == ("...", "...")
    assert (third.category, third.split) == ("dog", "testA")
    assert table.counts() == {"train": (1, 2, 1), "testA": (1, 1, 1)}


def test_json_twin_gives_the_same_table(tmp_path: Path) -> None:
    folder = write(tmp_path / "set")
    table = read_refer(folder)
    (folder / "refs(unc).json").write_text(json.dumps(REFS))
    assert list_partitions(folder)["unc"].suffix == ".p"
    (folder / "refs(unc).p").unlink()
    assert read_refer(folder) == table


@pytest.mark.parametrize(
    ("present", "chosen"),
    [
        (["unc"], "unc"),
        (["google"], "google"),
        (["google", "unc"], "unc"),
        (["google", "umd"], "umd"),
    ],
)
def test_choice_of_partition(tmp_path: Path, present: list[str], chosen: str) -> None:
    folder = write(tmp_path / "set")
    (folder / "refs(unc).p").unlink()
    for name in present:
        (folder / f"refs({name}).json").write_text(json.dumps(REFS))
    assert read_refer(folder).source == str(folder / f"refs({chosen}).json")
    for name in present:
        assert read_refer(folder, partition=name).source.endswith(f"refs({name}).json")
    with pytest.raises(DataError, match=f"no partition 'other'; it holds: {', '.join(present)}"):
        read_refer(folder, partition="other")


def test_an_open_choice_of_partition_is_asked_back(tmp_path: Path) -> None:
    folder = write(tmp_path / "set")
    (folder / "refs(umd).json").write_text("[]")
    with pytest.raises(DataError, match=r"several partitions \(umd, unc\); choose one"):
        read_refer(folder)


def test_instances_hold_all_annotations(tmp_path: Path) -> None:
    folder = write(tmp_path / "set")
    instances = read_instances(folder)
    assert list(instances.images) == [11, 12]
    assert instances.categories == {1: "person", 18: "dog"}
    assert [ann.ann_id for ann in instances.annotations_of(11)] == [101, 103]
    assert [ann.is_crowd for ann in instances.annotations_of(11)] == [False, True]
    assert instances.annotations[103].bbox == (0.0, 0.0, 0.0, 4.0)
    with pytest.raises(DataError, match="no image with id int 99"):
        instances.annotations_of(99)
    assert read_refer(folder, instances=instances) == read_refer(folder)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: there is no such folder"):
        read_refer(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"holds no refs\(<partition>\)\.p"):
        read_refer(tmp_path)
    folder = write(tmp_path / "set")
    (folder / "instances.json").unlink()
    with pytest.raises(DataError, match=r"instances\.json: cannot be read"):
        read_refer(folder)


Change = Callable[[list[dict[str, Any]]], Any]


def put(key: str, value: Any) -> Change:
    """Set a field of the second ref."""
    return lambda refs: refs[1].__setitem__(key, value)


def drop(key: str) -> Change:
    """Remove a field of the second ref."""
    return lambda refs: refs[1].pop(key)


def put_sentence(key: str, value: Any) -> Change:
    """Set a field of the second ref's sentence."""
    return lambda refs: refs[1]["sentences"][0].__setitem__(key, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("ann_id", 999), "field 'ann_id': 999 is not in"),
        (put("image_id", 999), "field 'image_id': 999 is not in"),
        (put("image_id", 11), "'image_id' is 11, but annotation 102 belongs to image 12"),
        (put("ann_id", 103), "'bbox'|belongs to image 11"),
        (put("ref_id", "7"), "field 'ref_id' must be an int, got str '7'"),
        (put("ann_id", "102"), "field 'ann_id' must be an int"),
        (put("image_id", None), "field 'image_id' must be an int"),
        (put("ref_id", 10**5_000), "'ref_id' is an integer of 16,610 bits; at most 63"),
        (put("ann_id", -(2**63)), "'ann_id' is an integer of 64 bits"),
        (put("sent_ids", [10**5_000]), "more than 4,300 digits, but the sentences"),
        (put_sentence("sent_id", 2**64), "sentence 0: field 'sent_id' is an integer of 65 bits"),
        (put_sentence("sent", "dog \ud800"), "field 'sent' holds half a character"),
        (put_sentence("raw", "\udfff"), "field 'raw' holds half a character"),
        (put("split", 3), "field 'split' must be text"),
        (put("split", ""), "split must be text that is not empty"),
        (put("ref_id", 0), "ref_id 0 was used before with another"),
        (put("sent_ids", [6]), "'sent_ids' is list \\[6\\], but the sentences have the ids"),
        (put("sent_ids", [5, 5]), "'sent_ids' is list"),
        (put("sent_ids", [[5]]), "'sent_ids' is list"),
        (put("sent_ids", 5), "field 'sent_ids' must be a list"),
        (put("sentences", []), "field 'sentences' is empty"),
        (put("sentences", "dog"), "field 'sentences' must be a list"),
        (put("sentences", ["dog"]), "sentence 0: expected a record"),
        (put_sentence("sent_id", "5"), "sentence 0: field 'sent_id' must be an int"),
        (put_sentence("raw", ["dog"]), "sentence 0: field 'raw' must be text, got list"),
        (put_sentence("sent", None), "sentence 0: field 'sent' must be text"),
        (lambda refs: refs[1]["sentences"][0].pop("raw"), "field 'raw' is missing"),
        (
            lambda refs: refs[1]["sentences"][0].update(raw=" ", sent=""),
            "'raw' and 'sent' are both empty",
        ),
        (
            lambda refs: (refs[1]["sentences"][0].update(sent_id=0), refs[1].update(sent_ids=[0])),
            "sent_id was already used",
        ),
        *((drop(key), f"field '{key}' is missing") for key in ("ref_id", "ann_id", "image_id")),
        *((drop(key), f"field '{key}' is missing") for key in ("split", "sentences", "sent_ids")),
    ],
)
def test_a_bad_ref_is_named(tmp_path: Path, change: Change, message: str) -> None:
    refs = copy.deepcopy(REFS)
    change(refs)
    with pytest.raises(DataError, match=message) as caught:
        read_refer(write(tmp_path / "set", refs=refs))
    text = str(caught.value)
    assert text.startswith(str(tmp_path / "set" / "refs(unc).p"))
    assert "ref 1 (ref_id" in text or "row 2 (sent_id" in text


@pytest.mark.parametrize("refs", [{"a": 1}, "text", None, 5])
def test_refs_must_be_a_list(tmp_path: Path, refs: Any) -> None:
    with pytest.raises(DataError, match=r"refs\(unc\)\.p: expected a list of refs"):
        read_refer(write(tmp_path / "set", refs=refs))


def test_no_ref_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"refs\(unc\)\.p: the list of refs is empty"):
        read_refer(write(tmp_path / "set", refs=[]))


def test_a_ref_must_be_a_record(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"ref 1: expected a record \(dictionary\), got int 3"):
        read_refer(write(tmp_path / "set", refs=[REFS[0], 3]))


@pytest.mark.parametrize(
    ("part", "index", "changes", "message"),
    [
        ("images", 1, {"id": "12"}, "images[1] (id str '12'): field 'id' must be an int"),
        ("images", 1, {"id": 11}, "'id': 11 was already used"),
        ("images", 1, {"height": 0}, "field 'height' must be positive"),
        ("images", 1, {"width": "6"}, "field 'width' must be an int"),
        ("images", 1, {"file_name": 5}, "field 'file_name' must be text"),
        ("annotations", 1, {"id": 101}, "'id': 101 was already used"),
        ("annotations", 1, {"image_id": 5}, "'image_id': 5 is not among the images"),
        ("annotations", 1, {"category_id": 5}, "'category_id': there is no category 5"),
        ("annotations", 1, {"bbox": [1, 2, 3]}, "'bbox' must be four finite numbers"),
        ("annotations", 1, {"bbox": [1, 2, 3, None]}, "'bbox' must be four finite numbers"),
        ("annotations", 1, {"bbox": [1, 2, 3, float("nan")]}, "'bbox' must be four finite"),
        ("annotations", 1, {"bbox": [1, 2, 3, 10**400]}, "'bbox' must be four finite"),
        ("annotations", 1, {"bbox": "1234"}, "'bbox' must be a list"),
        ("annotations", 1, {"segmentation": None}, "'segmentation' must be a list or a dict"),
        ("categories", 1, {"id": 1}, "'id': 1 was already used"),
        ("categories", 1, {"name": None}, "field 'name' must be text"),
    ],
)
def test_a_bad_instance_record_is_named(
    tmp_path: Path, part: str, index: int, changes: dict[str, Any], message: str
) -> None:
    instances = copy.deepcopy(INSTANCES)
    instances[part][index].update(changes)
    with pytest.raises(DataError) as caught:
        read_instances(write(tmp_path / "set", instances=instances))
    text = str(caught.value)
    assert message in text
    assert text.startswith(f"{tmp_path / 'set' / 'instances.json'}: {part}[{index}] (id ")


@pytest.mark.parametrize("part", ["images", "annotations", "categories"])
def test_instances_need_all_parts(tmp_path: Path, part: str) -> None:
    for value in ("gone", {"1": 2}, [3]):
        instances: dict[str, Any] = {**INSTANCES, part: value}
        if value == "gone":
            del instances[part]
        with pytest.raises(DataError, match=rf"instances\.json: .*({part})"):
            read_instances(write(tmp_path / "set", instances=instances))


def test_half_a_character_in_json_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "set")
    text = json.dumps(REFS).replace('"sent": "dog"', '"sent": "\\ud800 dog"')
    (folder / "refs(unc).json").write_text(text)
    (folder / "refs(unc).p").unlink()
    with pytest.raises(DataError, match=r"ref 1 .*'sent' holds half a character"):
        read_refer(folder)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\xff"])
def test_broken_json_is_named(tmp_path: Path, text: str) -> None:
    folder = write(tmp_path / "set")
    (folder / "instances.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"instances\.json: is not valid JSON"):
        read_instances(folder)


def test_a_described_object_needs_a_box_with_sides(tmp_path: Path) -> None:
    instances = copy.deepcopy(INSTANCES)
    instances["annotations"][1]["bbox"] = [1, 1, 0, 2]
    with pytest.raises(DataError, match=r"ref_id int 7.*positive width and height"):
        read_refer(write(tmp_path / "set", instances=instances))


def test_the_real_excerpt(photographs: Path) -> None:
    folder = photographs / "mini_refcoco"
    if not folder.is_dir():
        pytest.skip("the real excerpt of RefCOCO is not here")
    table = read_refer(folder / "refcoco")
    assert table.counts() == {"testA": (10, 30, 10), "testB": (4, 14, 2)}
    assert (len(table.refs), len(table)) == (14, 44)
    for ref in table.refs:
        expression = ref.expressions[0]
        mask = decode_mask(expression.segmentation, expression.height, expression.width)
        with Image.open(
            folder / "masks" / f"{expression.image_id}_{expression.ref_id}.png"
        ) as file:
            png_mask = np.array(file) > 127
        if isinstance(expression.segmentation, dict):
            np.testing.assert_array_equal(mask, png_mask)
        else:
            assert (mask & png_mask).sum() / (mask | png_mask).sum() > 0.97


def test_the_real_excerpt_reads_the_same_from_json(photographs: Path, tmp_path: Path) -> None:
    folder = photographs / "mini_refcoco" / "refcoco"
    if not folder.is_dir():
        pytest.skip("the real excerpt of RefCOCO is not here")
    for name in ("refs(unc).json", "instances.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    assert read_refer(tmp_path) == read_refer(folder)


# pycocotools 2.0.11 does not know NumPy 2's copy keyword yet.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_real_records_of_all_sets_and_partitions(photographs: Path, tmp_path: Path) -> None:
    path = photographs / "tfds_excerpt" / "refcoco_excerpt.json"
    if not path.is_file():
        pytest.skip("the real ref records are not here")
    content = json.loads(path.read_text())
    anns = {row["id"]: row for part in content["coco_anns"].values() for row in part["anns"]}
    anns |= {ref["ann"]["id"]: ref["ann"] for ref in content["ref"]}
    instances = {
        "images": [part["info"] for part in content["coco_anns"].values()],
        "annotations": list(anns.values()),
        "categories": [{"id": number, "name": f"category {number}"} for number in range(1, 91)],
    }
    groups: dict[tuple[str, str], list[Any]] = {}
    for ref in content["ref"]:
        groups.setdefault((ref["dataset"], ref["dataset_partition"]), []).append(ref)
    assert len(groups) == 5
    total = 0
    for (dataset, partition), refs in groups.items():
        folder = tmp_path / f"{dataset}_{partition}"
        write(folder, refs=refs, instances=instances)
        (folder / "refs(unc).p").rename(folder / f"refs({partition}).p")
        table = read_refer(folder)
        total += len(table.refs)
        assert len(table) == sum(len(ref["sentences"]) for ref in refs)
        rows = [
            {
                **ref,
                "raw_anns": json.dumps(ref["ann"]),
                "raw_image_info": json.dumps(content["coco_anns"][str(ref["image_id"])]["info"]),
            }
            for ref in refs
        ]
        names = {number: f"category {number}" for number in range(1, 91)}
        data = from_hf_rows(rows, partition=partition, categories=names)
        assert data.expressions == table
        for ref in table.refs:
            expression = ref.expressions[0]
            mask = decode_mask(expression.segmentation, expression.height, expression.width)
            parts = coco_mask.frPyObjects(
                expression.segmentation, expression.height, expression.width
            )
            theirs = coco_mask.decode([coco_mask.merge(parts)])[:, :, 0]
            np.testing.assert_array_equal(mask, theirs.astype(bool))
            assert mask_area(mask) == pytest.approx(anns[expression.ann_id]["area"], rel=0.01)
    assert total == 21
    assert len(anns[115528]["segmentation"]) == 3
