"""Read ``instances.json``: the images of a dataset and all their annotated objects.

The file has COCO's format. It lists every annotation of the images that are used, not only the
objects that a sentence describes, which simple baselines ("the largest object") need.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from risbook.data.annotation_files import read_json
from risbook.data.checks import (
    as_mapping,
    box_field,
    field,
    int_field,
    list_field,
    show,
    str_field,
)
from risbook.data.expressions import Segmentation
from risbook.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """What ``instances.json`` says about an image.

    Args:
        image_id: id of the image.
        file_name: name of its file.
        height: height in pixels.
        width: width in pixels.
    """

    image_id: int
    file_name: str
    height: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What ``instances.json`` says about an object, described or not.

    Args:
        ann_id: id of the annotation.
        image_id: id of the image.
        category: name of the category.
        bbox: box (x, y, width, height) in pixels; its sides may be zero.
        segmentation: polygon rings or run-length record, not decoded yet.
        is_crowd: the annotation covers a group of objects.
    """

    ann_id: int
    image_id: int
    category: str
    bbox: tuple[float, float, float, float]
    segmentation: Segmentation
    is_crowd: bool = False


@dataclass(frozen=True, kw_only=True)
class Instances:
    """A checked ``instances.json``.

    Args:
        path: the file.
        images: image id -> image.
        annotations: annotation id -> object.
        categories: category id -> name.
    """

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
        """List all objects of an image, also those that no sentence describes.

        Args:
            image_id: id of the image.

        Returns:
            The annotations in file order.

        Raises:
            DataError: there is no such image.
        """
        if image_id not in self.images:
            raise DataError(f"{self.path}: there is no image with id {show(image_id)}")
        return tuple(self._by_image.get(image_id, ()))


def read_instances(folder: str | Path) -> Instances:
    """Read a folder's ``instances.json`` with all annotations, described or not.

    Args:
        folder: the folder that holds the file.

    Returns:
        Images, annotations and categories.

    Raises:
        DataError: the file is missing or malformed; says which record and which field.
    """
    path = Path(folder) / "instances.json"
    content = as_mapping(read_json(path), where=str(path))
    categories: dict[int, str] = {}
    for where, record, key in _records(content, "categories", path):
        _refuse_second(key, categories, where)
        categories[key] = str_field(record, "name", where=where)
    images: dict[int, ImageRecord] = {}
    for where, record, key in _records(content, "images", path):
        _refuse_second(key, images, where)
        images[key] = image_of_record(record, where=where)
    annotations: dict[int, Annotation] = {}
    for where, record, key in _records(content, "annotations", path):
        _refuse_second(key, annotations, where)
        annotations[key] = annotation_of_record(record, categories=categories, where=where)
        if annotations[key].image_id not in images:
            raise DataError(
                f"{where}: field 'image_id': {annotations[key].image_id} is not among the images"
            )
    return Instances(path=path, images=images, annotations=annotations, categories=categories)


def image_of_record(record: Mapping[str, Any], *, where: str) -> ImageRecord:
    """Check one COCO image record.

    Args:
        record: dictionary with id, file_name, height and width.
        where: file and record, for messages.

    Returns:
        The image.

    Raises:
        DataError: a field is missing or malformed.
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
    """Check one COCO annotation record.

    Args:
        record: dictionary with id, image_id, category_id, bbox and segmentation.
        categories: category id -> name.
        where: file and record, for messages.

    Returns:
        The object; its segmentation is not decoded yet.

    Raises:
        DataError: a field is missing or malformed, or the category is unknown.
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
    for index, record in enumerate(list_field(content, key, where=str(path))):
        where = f"{path}: {key}[{index}]"
        record = as_mapping(record, where=where)
        where += f" (id {show(record.get('id'))})"
        yield where, record, int_field(record, "id", where=where)


def _refuse_second(key: int, records: Mapping[int, object], where: str) -> None:
    if key in records:
        raise DataError(f"{where}: field 'id': {key} was already used by an earlier record")
