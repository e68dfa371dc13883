"""The published counts, and the comparison with them."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from risbook.data.counts import GREF_PAPER, PUBLISHED, check_counts, is_full_release
from risbook.data.expressions import Expression, ExpressionTable
from risbook.errors import DataError


def make_table(rows: Iterable[tuple[int, int, int, str, str]]) -> ExpressionTable:
    """Make a table of (sent_id, ref_id, image_id, split, sentence) with dummy geometry."""
    return ExpressionTable(
        Expression(
            sent_id=sent_id,
            ref_id=ref_id,
            ann_id=ref_id,
            image_id=image_id,
            split=split,
            raw=text,
            sent=text,
            category="person",
            bbox=(0.0, 0.0, 1.0, 1.0),
            height=2,
            width=2,
            segmentation=[[0, 0, 1, 0, 1, 1]],
            file_name=f"{image_id}.jpg",
        )
        for sent_id, ref_id, image_id, split, text in rows
    )


def test_totals_are_the_sums_of_the_splits() -> None:
    totals = [row for row in PUBLISHED if row.split == "total"]
    assert {row.dataset for row in totals} == {"refcoco", "refcoco+", "refcocog"}
    for total in totals:
        parts = [
            row.triple
            for row in PUBLISHED
            if (row.dataset, row.partition) == (total.dataset, total.partition) and row != total
        ]
        parts = [part for part in parts if part != total.triple]
        sums = tuple(sum(number or 0 for number in column) for column in zip(*parts, strict=True))
        assert sums == total.triple


def test_the_paper_counts_more_than_was_released() -> None:
    released = next(
        row for row in PUBLISHED if row.dataset == "refcocog" and row.split == "total"
    ).triple
    assert released == (49_822, 95_010, 25_799)
    sentences, objects, images = GREF_PAPER
    gaps = (objects - 49_822, sentences - 95_010, images - 25_799)
    assert gaps == (5_000, 9_550, 912)


def test_google_parts_of_gref_share_images() -> None:
    parts = [row for row in PUBLISHED if (row.dataset, row.partition) == ("refcocog", "google")]
    assert sum(row.images or 0 for row in parts) > 25_799
    assert sum(row.sentences or 0 for row in parts) == 95_010


def test_lines_say_what_agrees() -> None:
    table = make_table([(0, 0, 0, "train", "a"), (1, 1, 1, "odd", "b")])
    lines = {line.split: line for line in check_counts(table, dataset="refcoco", partition="unc")}
    assert list(lines) == ["train", "val", "testA", "testB", "total", "odd"]
    assert lines["train"].expected == (42_404, 120_624, 16_994)
    assert lines["train"].actual == (1, 1, 1)
    assert lines["val"].actual == (0, 0, 0)
    assert lines["total"].actual == (2, 2, 2)
    assert lines["odd"].expected == (None, None, None)
    assert not any(line.ok for line in lines.values())


def test_an_unknown_number_is_not_compared() -> None:
    rows = [(i, i, i % 4_559, "val", "a") for i in range(5_000)]
    lines = check_counts(make_table(rows), dataset="refcoco", partition="google")
    assert [(line.split, line.ok) for line in lines] == [
        ("train", False),
        ("val", True),
        ("test", False),
    ]


def test_unknown_sets_are_refused() -> None:
    with pytest.raises(DataError, match="known are: refcoco unc, refcoco google, refcoco\\+ unc"):
        check_counts(make_table([]), dataset="refcoco", partition="umd")


def test_only_whole_released_sets_look_real() -> None:
    small = make_table([(0, 0, 0, "train", "a")])
    assert not is_full_release(small, dataset="refcoco", partition="unc")
    large = make_table((i, i, 0, "train", "a") for i in range(40_001))
    assert is_full_release(large, dataset="refcoco", partition="unc")
    assert not is_full_release(large, dataset="refscenes", partition="unc")
    assert not is_full_release(large[:40_000], dataset="refcoco", partition="unc")
    # Nobody published counts of this partition, so that there is nothing to agree with.
    assert not is_full_release(large, dataset="refcoco", partition="mine")


def test_the_real_evaluation_sentences_agree(photographs: Path) -> None:
    folder = photographs / "refcoco_unc"
    if not folder.is_dir():
        pytest.skip("the sentence lists of RefCOCO are not here")
    rows = []
    for split in ("val", "testA", "testB"):
        for item in json.loads((folder / f"orig_{split}.json").read_text())["items"]:
            image_id, ref_id, sent_id = map(int, Path(item["mask"]).stem.split("_"))
            rows.append((sent_id, ref_id, image_id, split, item["text"]))
    table = make_table(rows)
    assert table.counts() == {
        "val": (3_811, 10_834, 1_500),
        "testA": (1_975, 5_657, 750),
        "testB": (1_810, 5_095, 750),
    }
    lines = {line.split: line for line in check_counts(table, dataset="refcoco", partition="unc")}
    assert [name for name, line in lines.items() if line.ok] == ["val", "testA", "testB"]
