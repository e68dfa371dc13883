"""Read RefCOCO from rows of Hugging Face (layout of ``jxu124/refcoco``): parquet, JSON or objects.

One row is one ref. The annotation and the image's record are JSON texts in the columns
``raw_anns`` and ``raw_image_info``. The column ``bbox`` is not used, because its convention
differs between mirrors: the box comes from ``raw_anns``, which is COCO's (x, y, width, height).

Two names differ from the REFER release: ``validation`` is *val*, and in the UNC sets ``test`` is
*testA*. The image may come with the row, as bytes or as a path in the column ``image`` (also as
the record ``{"bytes": ..., "path": ...}``) or as a path in ``image_path``.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from risbook.data.checks import as_mapping, field, int_field, list_field, show, str_field
from risbook.data.coco_names import COCO_CATEGORIES
from risbook.data.dataset import ReferData
from risbook.data.expressions import Expression, ExpressionTable
from risbook.data.instances import (
    Annotation,
    ImageRecord,
    Instances,
    annotation_of_record,
    image_of_record,
)
from risbook.data.refer import expressions_of_ref
from risbook.errors import DataError
from risbook.files import parse_json, read_file, read_json

#: Parquet rows that are decoded at a time.
_BATCH_ROWS = 256


def open_hf_rows(
    path: str | Path,
    *,
    partition: str | None = None,
    images: str | Path | None = None,
    name: str | None = None,
) -> ReferData:
    """Open a file of rows.

    Args:
        path: ``.parquet``, ``.jsonl`` (a row per line) or ``.json`` (a list of rows), or a folder
            of parquet files, as a download of the hub leaves it.
        partition: as for `from_hf_rows`.
        images: folder of the images, where the rows hold no bytes; by default the rows' folder.
        name: the dataset's name; by default the path.

    Raises:
        DataError: the file is missing or malformed, or a library that reads it is.
    """
    path = Path(path)
    data = from_hf_rows(read_rows(path), partition=partition, source=str(path), images=images)
    return replace(data, name=name or str(path))


def read_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """Read the rows of a parquet or JSON file, or of all parquet files of a folder."""
    if path.is_dir():
        files = sorted(path.rglob("*.parquet"))
        if not files:
            raise DataError(f"{path}: holds no .parquet file")
        for file in files:
            yield from _parquet_rows(file)
    elif path.suffix == ".parquet":
        yield from _parquet_rows(path)
    elif path.suffix == ".jsonl":
        lines = read_file(path).splitlines()
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield parse_json(line, where=f"{path}: line {number}")
    elif path.suffix == ".json":
        rows = read_json(path)
        if not isinstance(rows, list):
            raise DataError(f"{path}: expected a list of rows, got {show(rows)}")
        yield from rows
    else:
        raise DataError(f"{path}: rows are read from .parquet, .jsonl and .json files")


def _parquet_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise DataError(
            f"{path}: reading parquet needs the library pyarrow (pip install pyarrow)"
        ) from None
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                yield from batch.to_pylist()
    except (OSError, ValueError, NotImplementedError) as error:  # pyarrow's errors are these
        raise DataError(
            f"{path}: is not a parquet file that can be read ({error}); fetch it again"
        ) from error


def from_hf_rows(
    rows: Iterable[Mapping[str, Any]],
    *,
    partition: str | None = None,
    categories: Mapping[int, str] | None = None,
    source: str = "rows",
    images: str | Path | None = None,
) -> ReferData:
    """Make a dataset of rows of a Hugging Face mirror, equal to what `open_data` reads.

    Its `objects` are those that the rows hold: many mirrors leave out what nobody describes.

    Args:
        rows: records with ref_id, ann_id, image_id, split, sent_ids, sentences, raw_anns and
            raw_image_info; rows of several splits may be chained.
        partition: "unc" reads a split named "test" as "testA", "umd" and "google" leave it.
            Without it, that is done where the rows hold a "testB".
        categories: category id -> name; without it, COCO's 80.
        source: file of the rows, for messages and for finding images.
        images: folder of the images; by default that of the source.

    Raises:
        DataError: a row is malformed; says which row and which field.
    """
    names = COCO_CATEGORIES if categories is None else categories
    expressions: list[Expression] = []
    annotations: dict[int, Annotation] = {}
    records: dict[int, ImageRecord] = {}
    row_images: dict[int, bytes | str] = {}
    for index, row in enumerate(rows):
        where = f"{source}: row {index}"
        row = as_mapping(row, where=where)
        where += f" (ref_id {show(row.get('ref_id'))})"
        ann_id = int_field(row, "ann_id", where=where)
        image_id = int_field(row, "image_id", where=where)
        row_annotations = _annotations(row, names, where)
        if ann_id not in row_annotations:
            raise DataError(f"{where}: field 'raw_anns' holds no annotation with id {ann_id}")
        annotations |= row_annotations
        record = as_mapping(_from_json(row, "raw_image_info", where), where=where)
        image = image_of_record(record, where=f"{where}, raw_image_info")
        if image.image_id != image_id:
            raise DataError(
                f"{where}: field 'image_id' is {image_id}, but raw_image_info is about image "
                f"{image.image_id}"
            )
        records.setdefault(image_id, image)
        if image_id not in row_images and (row_image := _row_image(row, where)):
            row_images[image_id] = row_image
        split = str_field(row, "split", where=where)
        ref = {**row, "sentences": _sentences(row, where)}
        expressions.extend(
            expressions_of_ref(
                ref,
                annotation=row_annotations[ann_id],
                image=image,
                where=where,
                split="val" if split == "validation" else split,
            )
        )
    if not expressions:
        raise DataError(f"{source}: holds no row")
    if partition is None:
        partition = "unc" if any(row.split == "testB" for row in expressions) else "unknown"
    if partition == "unc":
        expressions = [
            replace(row, split="testA") if row.split == "test" else row for row in expressions
        ]
    path = Path(source)
    folder = path if path.is_dir() else path.parent
    return ReferData(
        name=source,
        folder=folder,
        partition=partition,
        expressions=ExpressionTable(expressions, source=source),
        instances=Instances(path=path, images=records, annotations=annotations, categories=names),
        image_folders=(folder if images is None else Path(images),),
        row_images=row_images,
    )


def _from_json(row: Mapping[str, Any], key: str, where: str) -> Any:
    value = field(row, key, where=where)
    return parse_json(value, where=f"{where}: field {key!r}") if isinstance(value, str) else value


def _annotations(
    row: Mapping[str, Any], categories: Mapping[int, str], where: str
) -> dict[int, Annotation]:
    """Annotation id -> the ref's object, and others of the image where ``raw_anns`` is a list."""
    value = _from_json(row, "raw_anns", where)
    where = f"{where}, raw_anns"
    annotations = {}
    for record in value if isinstance(value, list) else [value]:
        annotation = annotation_of_record(
            as_mapping(record, where=where), categories=categories, where=where
        )
        annotations[annotation.ann_id] = annotation
    return annotations


def _row_image(row: Mapping[str, Any], where: str) -> bytes | str | None:
    """The bytes of the image's file, or its path within the image folder."""
    value = row.get("image")
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if value is None:
        value = row.get("image_path")
    if value is not None and not isinstance(value, bytes | str):
        raise DataError(
            f"{where}: field 'image' must be the bytes of a file or a path, got {show(value)}"
        )
    if isinstance(value, str):
        path = PurePosixPath(value)
        # A row does not lead out of the image folder.
        return path.name if path.is_absolute() or ".." in path.parts else value
    return value


def _sentences(row: Mapping[str, Any], where: str) -> list[Any]:
    """Take the sentences; a dictionary of columns (older mirrors) becomes a list of records."""
    value = field(row, "sentences", where=where)
    if not isinstance(value, Mapping):
        return list_field(row, "sentences", where=where)
    columns = {
        key: list_field(value, key, where=f"{where}, sentences")
        for key in ("sent_id", "raw", "sent")
    }
    if len({len(column) for column in columns.values()}) != 1:
        raise DataError(f"{where}: field 'sentences' holds columns of unequal length")
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
