"""Read ``instances.json``: the images of a dataset and all their annotated objects.

The file has COCO's format. It lists every annotation of the images that are used, not only the
objects that a sentence describes, which simple baselines ("the largest object") need.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from risbook.data.checks import as_mapping, box_field, field, int_field, list_field, show, str_field
from risbook.data.expressions import Segmentation
from risbook.errors import DataError
from risbook.files import read_json


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """An image's entry in ``instances.json``; sizes in pixels."""

    image_id: int
    file_name: str
    height: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """An object's entry in ``instances.json``, described by a sentence or not."""

    ann_id: int
    image_id: int
    category: str
    #: (x, y, width, height) in pixels; the sides may be zero
    bbox: tuple[float, float, float, float]
    segmentation: Segmentation
    #: the annotation covers a group of objects
    is_crowd: bool = False


@dataclass(frozen=True, kw_only=True)
class Instances:
    """A checked ``instances.json``; each mapping starts from the entry's id."""

    path: Path
    images: Mapping[int, ImageRecord]
    annotations: Mapping[int, Annotation]
    categories: Mapping[int, str]

    @cached_property
    def _by_image(self) -> dict[int, list[Annotation]]:
        groups: dict[int, list[Annotation]] = {}
        for annotation in self.annotations.values():
            groups.setdefault(annotation.image_id, []).append(annotation)
        return groups

    def annotations_of(self, image_id: int) -> tuple[Annotation, ...]:
        """List all objects of an image in file order, also those that no sentence describes.

        Raises:
            DataError: no image has this id.
        """
        if image_id not in self.images:
            raise DataError(f"{self.path}: there is no image with id {show(image_id)}")
        return tuple(self._by_image.get(image_id, ()))


def read_instances(folder: str | Path) -> Instances:
    """Read a folder's ``instances.json``.

    Raises:
        DataError: the file is missing or malformed; names record and field.
    """
    path = Path(folder) / "instances.json"
    content = as_mapping(read_json(path), where=str(path))
    categories = {
        key: str_field(record, "name", where=where)
        for where, record, key in _records(content, "categories", path)
    }
    images = {
        key: image_of_record(record, where=where)
        for where, record, key in _records(content, "images", path)
    }
    annotations: dict[int, Annotation] = {}
    for where, record, key in _records(content, "annotations", path):
        annotation = annotation_of_record(record, categories=categories, where=where)
        if annotation.image_id not in images:
            raise DataError(
                f"{where}: field 'image_id': {annotation.image_id} is not among the images"
            )
        annotations[key] = annotation
    return Instances(path=path, images=images, annotations=annotations, categories=categories)


def image_of_record(record: Mapping[str, Any], *, where: str) -> ImageRecord:
    """Check a COCO image record: id, file_name, height and width.

    Raises:
        DataError: a field is missing or malformed; starts with `where`.
    """
    sides = {key: int_field(record, key, where=where) for key in ("height", "width")}
    for key, value in sides.items():
        if value <= 0:
            raise DataError(f"{where}: field {key!r} must be positive, got {value}")
    return ImageRecord(
        image_id=int_field(record, "id", where=where),
        file_name=str_field(record, "file_name", where=where),
        **sides,
    )


def annotation_of_record(
    record: Mapping[str, Any], *, categories: Mapping[int, str], where: str
) -> Annotation:
    """Check a COCO annotation record: id, image_id, category_id, bbox and segmentation.

    Segmentations are decoded, and checked, on demand: a set holds 100,000 of them and more.

    Raises:
        DataError: a field is missing or malformed, or the category is not among `categories`
            (id -> name); starts with `where`.
    """
    category_id = int_field(record, "category_id", where=where)
    if category_id not in categories:
        raise DataError(f"{where}: field 'category_id': there is no category {category_id}")
    segmentation = field(record, "segmentation", where=where)
    if not isinstance(segmentation, list | Mapping):
        raise DataError(
            f"{where}: field 'segmentation' must be a list or a dictionary, "
            f"got {show(segmentation)}"
        )
    return Annotation(
        ann_id=int_field(record, "id", where=where),
        image_id=int_field(record, "image_id", where=where),
        category=categories[category_id],
        bbox=box_field(record, "bbox", where=where),
        segmentation=segmentation,
        is_crowd=bool(record.get("iscrowd", 0)),
    )


def _records(
    content: Mapping[str, Any], key: str, path: Path
) -> Iterator[tuple[str, Mapping[str, Any], int]]:
    """For each entry of a list the words that name it in messages, the entry, and its id."""
    ids: set[int] = set()
    for index, record in enumerate(list_field(content, key, where=str(path))):
        where = f"{path}: {key}[{index}]"
        record = as_mapping(record, where=where)
        where += f" (id {show(record.get('id'))})"
        number = int_field(record, "id", where=where)
        if number in ids:
            raise DataError(f"{where}: field 'id': {number} was already used by an earlier record")
        ids.add(number)
        yield where, record, number
