"""The table of expressions: grouping, splitting, counting, and what it refuses."""

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from risbook.data.expressions import Expression, ExpressionTable
from risbook.errors import DataError


def row(sent_id: int = 0, ref_id: int = 0, image_id: int = 0, **changes: Any) -> Expression:
    """Make a good row, with changes."""
    fields: dict[str, Any] = {
        "sent_id": sent_id,
        "ref_id": ref_id,
        "ann_id": 100 + ref_id,
        "image_id": image_id,
        "split": "train",
        "raw": "The man, left.",
        "sent": "the man left",
        "category": "person",
        "bbox": (1.0, 2.0, 3.0, 4.0),
        "height": 8,
        "width": 9,
        "segmentation": [[1, 2, 4, 2, 4, 6]],
        "file_name": f"{image_id}.jpg",
    }
    return Expression(**(fields | changes))


@pytest.fixture
def table() -> ExpressionTable:
    return ExpressionTable(
        [
            row(0, 7, 1, split="testB"),
            row(1, 5, 1, split="train"),
            row(2, 7, 1, split="testB"),
            row(3, 9, 2, split="odd"),
            row(4, 8, 2, split="train"),
            row(5, 3, 2, split="val"),
        ]
    )


def test_is_a_sequence(table: ExpressionTable) -> None:
    assert len(table) == 6
    assert [row.sent_id for row in table] == [0, 1, 2, 3, 4, 5]
    assert table[-1].sent_id == 5
    part = table[1:3]
    assert isinstance(part, ExpressionTable)
    assert [row.sent_id for row in part] == [1, 2]
    assert table[2] in table
    with pytest.raises(IndexError):
        table[6]


def test_rows_and_tables_can_be_compared_and_hashed(table: ExpressionTable) -> None:
    same = ExpressionTable(list(table))
    assert same == table
    assert hash(same) == hash(table)
    assert table[:2] != table
    assert table != list(table)
    assert len({row(), row(), row(1)}) == 2


def test_rows_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        row().sent = "another"  # type: ignore[misc]


def test_splits_come_in_their_usual_order(table: ExpressionTable) -> None:
    assert table.splits == ("train", "val", "testB", "odd")
    assert ExpressionTable([]).splits == ()


def test_split_matches_the_whole_name(table: ExpressionTable) -> None:
    assert [row.sent_id for row in table.split("testB")] == [0, 2]
    assert table.split("testB").splits == ("testB",)
    with pytest.raises(DataError, match=r"no split 'test'; choose from train, val, testB, odd"):
        table.split("test")
    with pytest.raises(DataError, match="table is empty"):
        ExpressionTable([]).split("train")


def test_refs_keep_file_order_and_gather_their_sentences(table: ExpressionTable) -> None:
    assert [ref.ref_id for ref in table.refs] == [7, 5, 9, 8, 3]
    first = table.refs[0]
    assert (first.ann_id, first.image_id) == (107, 1)
    assert [row.sent_id for row in first.expressions] == [0, 2]
    assert sum(len(ref.expressions) for ref in table.refs) == len(table)


def test_counts_refs_sentences_images(table: ExpressionTable) -> None:
    assert table.counts() == {
        "train": (2, 2, 2),
        "val": (1, 1, 1),
        "testB": (1, 2, 1),
        "odd": (1, 1, 1),
    }
    assert "testB: 1 refs, 2 sentences, 1 images" in repr(table)
    assert repr(ExpressionTable([])) == "ExpressionTable(empty)"


def test_text_has_two_spellings() -> None:
    assert row().text() == "the man left"
    assert row().text("raw") == "The man, left."
    with pytest.raises(DataError, match="'sent' or 'raw', got str 'tokens'"):
        row().text("tokens")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sent_id": "12"}, "sent_id must be an int, got str '12'"),
        ({"ref_id": "a"}, "ref_id must be an int"),
        ({"ann_id": 1.0}, "ann_id must be an int, got float 1.0"),
        ({"image_id": True}, "image_id must be an int, got bool True"),
        ({"split": ""}, "split must be text that is not empty"),
        ({"raw": None}, "raw must be text"),
        ({"sent": "  "}, "sent must be text that is not empty"),
        ({"category": 3}, "category must be text"),
        ({"file_name": ""}, "file_name must be text"),
        ({"height": 0}, "height must be a positive int, got int 0"),
        ({"width": 9.0}, "width must be a positive int"),
        ({"bbox": (0, 0, 0, 1)}, "positive width and height"),
        ({"bbox": (0, 0, 1, -1)}, "positive width and height"),
        ({"bbox": (0, 0, 1)}, "tuple of four finite numbers"),
        ({"bbox": [0, 0, 1, 1]}, "tuple of four finite numbers"),
        ({"bbox": (float("nan"), 0, 1, 1)}, "four finite numbers"),
        ({"bbox": (0, float("inf"), 1, 1)}, "four finite numbers"),
    ],
)
def test_refuses_a_bad_field(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        ExpressionTable([row(0), replace(row(1), **changes)], source="the file")
    assert str(caught.value).startswith("the file: row 1 (sent_id ")


def test_refuses_what_is_no_expression() -> None:
    with pytest.raises(DataError, match=r"row 0 .*must be an Expression, got dict"):
        ExpressionTable([{"sent_id": 1}])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (row(0, 1), "sent_id was already used"),
        (row(1, 0, split="val"), "ref_id 0 was used before with another"),
        (row(1, 0, ann_id=5), "ref_id 0 was used before with another"),
        (row(1, 1, height=5), "image_id 0 was used before with another size"),
        (row(1, 1, file_name="b.jpg"), "image_id 0 was used before with another size or file"),
    ],
)
def test_refuses_contradictions(second: Expression, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ExpressionTable([row(0), second])
