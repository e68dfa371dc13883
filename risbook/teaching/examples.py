"""Expressions with all objects of their image, as the chapters about selection need them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risbook.data import ReferData
from risbook.errors import DataError
from risbook.files import read_json


@dataclass(frozen=True, eq=False)
class SceneObject:
    """One annotated object of an image. Two objects are equal only if they are the same one.

    Args:
        ann_id: id of the annotation, unique in the data set.
        category: what the object is.
        colour: the recorded main colour of a drawn object; "" where none is recorded.
        mask: bool (H, W).
    """

    ann_id: int
    category: str
    colour: str
    mask: NDArray[np.bool_]

    @cached_property
    def area(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.mask))

    @cached_property
    def centre(self) -> tuple[float, float]:
        """Mean column and mean row of the mask, pixels."""
        rows, columns = np.nonzero(self.mask)
        return float(columns.mean()), float(rows.mean())


@dataclass(frozen=True, eq=False)
class Example:
    """One expression, the objects of its image, and the object that it describes.

    Args:
        sentence: the normalised sentence.
        image_id: id of the image.
        sent_id: id of the sentence, unique in the data set.
        objects: all objects of the image, described or not, in the order of the file.
        target: the described object, which is one of `objects`.
    """

    sentence: str
    image_id: int
    sent_id: int
    objects: tuple[SceneObject, ...]
    target: SceneObject

    @property
    def same_category(self) -> list[SceneObject]:
        """The objects of the target's category; the target is one of them."""
        return [obj for obj in self.objects if obj.category == self.target.category]


def load_objects(data: ReferData, image_id: int) -> tuple[SceneObject, ...]:
    """Decode all objects of an image, in the order of the file.

    Args:
        data: the set, from `risbook.data.open_data`.
        image_id: id of the image.

    Raises:
        DataError: there is no such image, or a segmentation is malformed.
    """
    return _decode_objects(data, image_id, _read_colours(data.folder / "scenes.json"))


def load_examples(data: ReferData, split: str) -> list[Example]:
    """Load a split, one example per expression, in the order of the file.

    Expressions of one image share the same objects.

    Args:
        data: the set, from `risbook.data.open_data`.
        split: one of `data.splits`.

    Raises:
        DataError: there is no such split, or a segmentation is malformed.

    >>> from risbook.data import open_data
    >>> example = load_examples(open_data("refscenes-sample"), "val")[0]
    >>> example.target in example.same_category
    True
    """
    colours = _read_colours(data.folder / "scenes.json")
    objects_of: dict[int, tuple[SceneObject, ...]] = {}
    examples = []
    for row in data.expressions.split(split):
        if row.image_id not in objects_of:
            objects_of[row.image_id] = _decode_objects(data, row.image_id, colours)
        objects = objects_of[row.image_id]
        target = next(obj for obj in objects if obj.ann_id == row.ann_id)
        examples.append(Example(row.sent, row.image_id, row.sent_id, objects, target))
    return examples


def _decode_objects(
    data: ReferData, image_id: int, colours: Mapping[int, str]
) -> tuple[SceneObject, ...]:
    pairs = data.objects(image_id)
    annotations = data.instances.annotations_of(image_id)
    return tuple(
        SceneObject(row.ann_id, category, colours.get(row.ann_id, ""), mask)
        for row, (category, mask) in zip(annotations, pairs, strict=True)
    )


def _read_colours(path: Path) -> Mapping[int, str]:
    """Annotation id -> colour, from the ``scenes.json`` that only drawn sets have."""
    return _colours_of(path, path.stat().st_mtime_ns) if path.is_file() else {}


@lru_cache(maxsize=8)  # the file of a large set takes a second, and objects are loaded often
def _colours_of(path: Path, _changed: int) -> Mapping[int, str]:
    scenes: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]] = read_json(path)
    try:
        return {fact["ann_id"]: fact["colour"] for s in scenes.values() for fact in s["things"]}
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: is not a record of scenes ({error!r})") from error
