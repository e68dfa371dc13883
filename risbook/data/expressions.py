"""The one table that all files of RefCOCO-style data are read into: a row per expression.

RefCOCO, RefCOCO+ and G-Ref name an object once (a *ref*) and describe it several times (its
*sentences*). Training code of CRIS (Wang et al., 2022), ETRIS (Xu et al., 2023) and LAVT (Yang et
al., 2022) walks over refs with one random sentence each; evaluation walks over all sentences. The
table therefore keeps sentences, in file order, and groups them into `Referent`s on demand.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, overload

from risbook.data.checks import is_finite_number, show
from risbook.errors import DataError

#: Polygon rings (lists of x, y, x, y, ... in pixels) or a COCO run-length record.
Segmentation = Any

TextKind = Literal["sent", "raw"]

#: The order in which splits are listed; unknown names follow in alphabetical order.
SPLIT_ORDER = ("train", "val", "testA", "testB", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """One sentence and the object that it means.

    Args:
        sent_id: id of the sentence, unique in the table.
        ref_id: id of the described object within one dataset and partition.
        ann_id: id of its annotation in ``instances.json``.
        image_id: id of the image.
        split: for instance "train", "val", "testA", "testB" or "test".
        raw: the sentence as it was typed (what LAVT reads).
        sent: the cleaned sentence, in the UNC sets in lower case and without punctuation (what
            CRIS and ETRIS read).
        category: name of the object's COCO category.
        bbox: box (x, y, width, height) in pixels, absolute.
        height: height of the image in pixels.
        width: width of the image in pixels.
        segmentation: polygon rings or run-length record; see `risbook.data.masks.decode_mask`.
        file_name: name of the image's file, taken from ``instances.json``.
    """

    sent_id: int
    ref_id: int
    ann_id: int
    image_id: int
    split: str
    raw: str
    sent: str
    category: str
    bbox: tuple[float, float, float, float]
    height: int
    width: int
    segmentation: Segmentation = field(hash=False, repr=False)
    file_name: str

    def text(self, kind: TextKind = "sent") -> str:
        """The sentence in one of its two spellings, "sent" (cleaned) or "raw" (as typed).

        Raises:
            DataError: kind is neither.
        """
        if kind == "sent":
            return self.sent
        if kind == "raw":
            return self.raw
        raise DataError(f"text kind must be 'sent' or 'raw', got {show(kind)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Referent:
    """One described object with all its sentences, at least one, in file order."""

    ref_id: int
    ann_id: int
    image_id: int
    expressions: tuple[Expression, ...]


class ExpressionTable(Sequence[Expression]):
    """An immutable, checked sequence of expressions in file order.

    Args:
        expressions: the rows.
        source: file of the rows, for error messages.

    Raises:
        DataError: a row has a wrong type, an empty text, an impossible box or size, a sentence id
            that was there before, or contradicts an earlier row of the same object or image.
    """

    def __init__(self, expressions: Iterable[Expression], *, source: str = "expressions") -> None:
        self._rows = tuple(expressions)
        self.source = source
        _check_rows(self._rows, source)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Expression]:
        return iter(self._rows)

    @overload
    def __getitem__(self, index: int) -> Expression: ...
    @overload
    def __getitem__(self, index: slice) -> "ExpressionTable": ...
    def __getitem__(self, index: int | slice) -> "Expression | ExpressionTable":
        if isinstance(index, slice):
            return self.select(range(len(self))[index])
        return self._rows[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ExpressionTable):
            return NotImplemented
        return self._rows == other._rows

    def __hash__(self) -> int:
        return hash(self._rows)

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{name}: {refs} refs, {sentences} sentences, {images} images"
            for name, (refs, sentences, images) in self.counts().items()
        )
        return f"ExpressionTable({counts or 'empty'})"

    def _part(self, rows: tuple[Expression, ...]) -> "ExpressionTable":
        # Rows of a checked table need no second check: large tables are split often.
        part = object.__new__(ExpressionTable)
        part._rows = rows
        part.source = self.source
        return part

    @cached_property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits there are: train, val, testA, testB, test, then any others."""
        names = {row.split for row in self._rows}
        ordered = tuple(name for name in SPLIT_ORDER if name in names)
        return ordered + tuple(sorted(names.difference(SPLIT_ORDER)))

    @cached_property
    def refs(self) -> tuple[Referent, ...]:
        """The described objects in file order, each with all its sentences."""
        groups: dict[int, list[Expression]] = {}
        for row in self._rows:
            groups.setdefault(row.ref_id, []).append(row)
        return tuple(
            Referent(
                ref_id=ref_id,
                ann_id=rows[0].ann_id,
                image_id=rows[0].image_id,
                expressions=tuple(rows),
            )
            for ref_id, rows in groups.items()
        )

    def select(self, indices: Iterable[int]) -> "ExpressionTable":
        """Take the rows of these indices."""
        return self._part(tuple(self._rows[index] for index in indices))

    def split(self, name: str) -> "ExpressionTable":
        """Take the rows of one split. The name must match wholly: "test" is not "testA".

        Raises:
            DataError: the table has no such split.
        """
        if name not in self.splits:
            raise DataError(
                f"{self.source}: there is no split {name!r}; "
                f"choose from {', '.join(self.splits) or '(the table is empty)'}"
            )
        return self._part(tuple(row for row in self._rows if row.split == name))

    def counts(self) -> dict[str, tuple[int, int, int]]:
        """Count each split: name -> (refs, sentences, images)."""
        return {name: self.split(name).total() for name in self.splits}

    def total(self) -> tuple[int, int, int]:
        """Count refs, sentences and images of all rows."""
        refs, images = {row.ref_id for row in self}, {row.image_id for row in self}
        return len(refs), len(self), len(images)


def _check_rows(rows: tuple[Expression, ...], source: str) -> None:
    sent_ids: set[int] = set()
    objects: dict[int, tuple[object, ...]] = {}
    images: dict[int, tuple[object, ...]] = {}
    for index, row in enumerate(rows):
        problem = _problem_of_row(row)
        if not problem and row.sent_id in sent_ids:
            problem = "this sent_id was already used by an earlier row"
        if not problem:
            sent_ids.add(row.sent_id)
            target = (row.ann_id, row.image_id, row.split, row.category, row.bbox)
            if objects.setdefault(row.ref_id, target) != target:
                problem = (
                    f"ref_id {row.ref_id} was used before with another annotation, image, "
                    "split, category or box"
                )
            image = (row.height, row.width, row.file_name)
            if images.setdefault(row.image_id, image) != image:
                problem = f"image_id {row.image_id} was used before with another size or file name"
        if problem:
            ids = ", ".join(
                f"{key} {show(getattr(row, key, None))}" for key in ("sent_id", "ref_id")
            )
            raise DataError(f"{source}: row {index} ({ids}): {problem}")


def _problem_of_row(row: object) -> str:
    """Say what is wrong with a row by itself, or "" where nothing is."""
    if not isinstance(row, Expression):
        return f"must be an Expression, got {show(row)}"
    for key in ("sent_id", "ref_id", "ann_id", "image_id"):
        value = getattr(row, key)
        if type(value) is not int:
            return f"{key} must be an int, got {show(value)}"
    for key in ("split", "raw", "sent", "category", "file_name"):
        value = getattr(row, key)
        if not isinstance(value, str) or not value.strip():
            return f"{key} must be text that is not empty, got {show(value)}"
    for key in ("height", "width"):
        value = getattr(row, key)
        if type(value) is not int or value <= 0:
            return f"{key} must be a positive int, got {show(value)}"
    box = row.bbox
    if not isinstance(box, tuple) or len(box) != 4 or not all(map(is_finite_number, box)):
        return f"bbox must be a tuple of four finite numbers (x, y, w, h), got {show(box)}"
    if box[2] <= 0 or box[3] <= 0:
        return f"bbox must have a positive width and height, got {show(box)}"
    return ""
