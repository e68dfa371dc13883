"""The front door of data: what people type first works, or says what to type instead."""

import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import risbook
from risbook.data import open_data
from risbook.data.letterbox import normalise
from risbook.data.referring_dataset import ReferringDataset
from risbook.errors import DataError


@pytest.fixture(scope="module")
def data() -> ReferringDataset:
    return risbook.data.load("refscenes-sample", split="val", image_size=64)


def test_a_plain_loader_makes_batches(data: ReferringDataset) -> None:
    batches = list(DataLoader(data, batch_size=8))
    assert sum(len(batch["text"]) for batch in batches) == len(data) > 8
    batch = batches[0]
    assert batch["image"].shape == (8, 3, 64, 64)
    assert batch["mask"].shape == (8, 1, 64, 64)
    assert batch["image"].dtype == batch["mask"].dtype == torch.float32
    assert batch["text"] == [data.expression(i).sent for i in range(8)]
    assert batch["image_id"].tolist() == [data.expression(i).image_id for i in range(8)]
    for key in ("ref_id", "ann_id", "sent_id", "height", "width"):
        assert batch[key].dtype == torch.int64


def test_workers_and_shuffling(data: ReferringDataset) -> None:
    loader: Any = DataLoader(data, batch_size=len(data), shuffle=True, num_workers=2)
    (batch,) = loader
    expected = {item["sent_id"]: item["mask"] for item in data}
    for sent_id, mask in zip(batch["sent_id"].tolist(), batch["mask"], strict=True):
        assert torch.equal(mask, expected[sent_id])


def test_an_item_is_what_a_network_reads(data: ReferringDataset) -> None:
    item = data[3]
    letterbox = data.letterbox(3)
    image = normalise(letterbox.image(data.image(3)))
    assert torch.equal(item["image"], torch.from_numpy(image))
    assert torch.equal(
        item["mask"][0], torch.from_numpy(letterbox.mask(data.mask(3)) > 0.5).float()
    )
    assert data.image(3).shape == (item["height"], item["width"], 3)
    assert data.mask(3).shape == (item["height"], item["width"])
    assert set(item["mask"].unique().tolist()) == {0.0, 1.0}
    back = letterbox.undo(item["mask"][0].numpy()) > 0.5
    overlap = (back & data.mask(3)).sum() / (back | data.mask(3)).sum()
    assert overlap > 0.6  # a square of 64 is coarse


def test_indices_are_those_of_a_sequence(data: ReferringDataset) -> None:
    assert data[-1]["sent_id"] == data.expression(len(data) - 1).sent_id
    assert len([item["text"] for item in data]) == len(data)
    with pytest.raises(IndexError):
        data[len(data)]


def test_what_it_says_of_itself(data: ReferringDataset) -> None:
    assert data.split == "val"
    assert data.splits == ("train", "val", "testA", "testB")
    assert data.name == "refscenes-sample"
    assert repr(data) == (
        f"ReferringDataset('refscenes-sample', split='val': {len(data)} expressions, image_size=64)"
    )
    assert repr(data.data).startswith("ReferData('refscenes-sample', ExpressionTable(train: ")


def test_the_split_may_be_left_out_or_stand_second() -> None:
    train = risbook.data.load("refscenes-sample")
    assert train.split == "train"
    assert train.image_size == 416
    assert train[0]["image"].shape == (3, 416, 416)
    assert risbook.data.load("refscenes-sample", "testA").split == "testA"


def test_without_train_the_only_split_is_taken(tiny_world: Path, tmp_path: Path) -> None:
    table = open_data(tiny_world / "refscenes")
    for splits, expected in ((("val",), "val"), (("val", "testA"), None)):
        rows = [row for row in table.expressions if row.split in splits]
        part = risbook.data.ReferData(
            **{
                **vars(table),
                "expressions": risbook.data.ExpressionTable(rows),
            }
        )
        if expected:
            assert ReferringDataset(part).split == expected
        else:
            with pytest.raises(DataError, match="name a split by split=: val, testA"):
                ReferringDataset(part)


def test_raw_sentences(data: ReferringDataset) -> None:
    raw = risbook.data.load("refscenes-sample", split="val", image_size=16, text_kind="raw")
    assert [raw[i]["text"] for i in range(4)] == [data.expression(i).raw for i in range(4)]


def test_real_sets_lie_in_a_root(tiny_world: Path, tmp_path: Path, monkeypatch: Any) -> None:
    shutil.copytree(tiny_world / "refscenes", tmp_path / "refcoco")
    shutil.copytree(tiny_world / "images", tmp_path / "images")
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    for arguments in (
        {"name": "refcoco", "root": tmp_path},
        {"name": "refcoco", "root": str(tmp_path)},
        {"name": "refcoco", "root": tmp_path / "refcoco"},  # the set's own folder
        {"name": "refcoco", "root": f"~/{tmp_path.name}"},
        {"name": tmp_path / "refcoco"},
        {"name": str(tmp_path / "refcoco")},
        {"name": f"~/{tmp_path.name}/refcoco"},
        {"name": "refcoco", "root": tmp_path, "images": tmp_path / "images/mscoco"},
        {"name": "refcoco", "root": tmp_path, "partition": "unc"},
    ):
        data = risbook.data.load(split="val", image_size=8, **arguments)
        assert data.name == "refcoco"
        assert len(data) > 0
    # The folder of one set is not taken for another set.
    with pytest.raises(DataError, match=r"refcoco\+: holds no instances\.json"):
        risbook.data.load("refcoco+", root=tmp_path / "refcoco")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "refcoco"}, "'refcoco' is a real dataset: name the folder .*root="),
        ({"name": "RefCOCO"}, "no dataset or folder 'RefCOCO'; did you mean 'refcoco'?"),
        ({"name": "refcoco_plus"}, "no dataset or folder 'refcoco_plus'; did you mean"),
        ({"split": "test"}, "there is no split 'test'; choose from train, val, testA, testB"),
        ({"split": "dev"}, "no split 'dev'; choose from"),
        ({"image_size": (416, 416)}, "image_size must be a positive int .*got tuple"),
        ({"image_size": 0}, "image_size must be a positive int"),
        ({"image_size": True}, "image_size must be a positive int"),
        ({"text_kind": "tokens"}, "text_kind must be 'sent' or 'raw', got str 'tokens'"),
        ({"images": "nothing-here"}, "images='nothing-here': there is no such folder"),
        ({"partition": "google"}, "no partition 'google'; it holds: unc"),
        ({"name": "hf:rows.parquet"}, r"rows\.parquet: "),
    ],
)
def test_a_wrong_guess_is_answered_in_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        risbook.data.load(**{"name": "refscenes-sample", **arguments})
    assert "\n" not in str(caught.value)


def test_it_travels_to_worker_processes(data: ReferringDataset) -> None:
    copy = pickle.loads(pickle.dumps(data))  # noqa: S301 - our own
    assert torch.equal(copy[2]["image"], data[2]["image"])
    assert np.array_equal(copy.mask(2), data.mask(2))
