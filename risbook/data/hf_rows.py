"""Read the parquet mirrors of RefCOCO on Hugging Face (layout of ``jxu124/refcoco``).

These hold one row per ref. The annotation and the picture's record are JSON texts in the columns
``raw_anns`` and ``raw_image_info``. The column ``bbox`` is not used, because its convention
differs between mirrors: the box comes from ``raw_anns``, which is COCO's (x, y, width, height).

Two names differ from the REFER release: ``validation`` is *val*, and in the UNC sets ``test`` is
*testA*. This module takes rows from any iterable, so the ``datasets`` library is not needed.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from risbook.data.checks import as_mapping, field, int_field, list_field, show, str_field
from risbook.data.coco_names import COCO_CATEGORIES
from risbook.data.expressions import Expression, ExpressionTable
from risbook.data.instances import annotation_of_record, image_of_record
from risbook.data.refer import expressions_of_ref
from risbook.errors import DataError


def from_hf_rows(
    rows: Iterable[Mapping[str, Any]],
    *,
    partition: str = "unc",
    categories: Mapping[int, str] | None = None,
    source: str = "rows",
) -> ExpressionTable:
    """Turn rows of a Hugging Face mirror into the table that `read_refer` would give.

    Args:
        rows: records with ref_id, ann_id, image_id, split, sent_ids, sentences, raw_anns and
            raw_image_info; rows of several splits may be chained.
        partition: "unc" reads a split named "test" as "testA"; any other value leaves it.
        categories: category id -> name; without it, COCO's 80.
        source: words that tell where the rows come from, for messages.

    Returns:
        The checked table, in the order of the rows.

    Raises:
        DataError: a row is malformed; says which row and which field.
    """
    names = COCO_CATEGORIES if categories is None else categories
    expressions: list[Expression] = []
    for index, row in enumerate(rows):
        where = f"{source}: row {index}"
        row = as_mapping(row, where=where)
        where += f" (ref_id {show(row.get('ref_id'))})"
        ann_id = int_field(row, "ann_id", where=where)
        image_id = int_field(row, "image_id", where=where)
        annotation = annotation_of_record(
            _annotation(row, ann_id, where), categories=names, where=f"{where}, raw_anns"
        )
        record = as_mapping(_from_json(row, "raw_image_info", where), where=where)
        image = image_of_record(record, where=f"{where}, raw_image_info")
        if image.image_id != image_id:
            raise DataError(
                f"{where}: field 'image_id' is {image_id}, but raw_image_info is about image "
                f"{image.image_id}"
            )
        split = str_field(row, "split", where=where)
        if split == "validation":
            split = "val"
        elif split == "test" and partition == "unc":
            split = "testA"
        ref = {**row, "sentences": _sentences(row, where)}
        expressions.extend(
            expressions_of_ref(ref, annotation=annotation, image=image, where=where, split=split)
        )
    return ExpressionTable(expressions, source=source)


def _from_json(row: Mapping[str, Any], key: str, where: str) -> Any:
    value = field(row, key, where=where)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: field {key!r} is not valid JSON ({error})") from error


def _annotation(row: Mapping[str, Any], ann_id: int, where: str) -> Mapping[str, Any]:
    """Find the ref's annotation: the record itself, or the one of a list that has its id."""
    value = _from_json(row, "raw_anns", where)
    records = value if isinstance(value, list) else [value]
    for record in records:
        if as_mapping(record, where=f"{where}, raw_anns").get("id") == ann_id:
            return as_mapping(record, where=where)
    raise DataError(f"{where}: field 'raw_anns' holds no annotation with id {ann_id}")


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
