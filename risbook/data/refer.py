"""Read RefCOCO, RefCOCO+ and G-Ref as the REFER project released them.

A folder holds ``instances.json`` (COCO format: images, all their annotations, categories) and
one or more ``refs(<partition>).p`` (pickled list of described objects), one for each way to cut
the set into splits: *unc* or *google* for RefCOCO, *unc* for RefCOCO+, *umd* or *google* for
G-Ref. Where the pickle is absent its JSON twin ``refs(<partition>).json`` is read.

The ``file_name`` of a ref is no file (it ends in a small number or the annotation id); the real
name stands in ``instances.json`` and is the one that the table keeps.
"""

from collections.abc import Iterator, Mapping
from numbers import Integral
from pathlib import Path
from typing import Any

from risbook.data.checks import as_mapping, int_field, list_field, show, str_field
from risbook.data.expressions import Expression, ExpressionTable
from risbook.data.instances import Annotation, ImageRecord, Instances, read_instances
from risbook.data.pickles import read_pickle
from risbook.errors import DataError
from risbook.files import read_json

#: Where both lie in one folder, these are preferred to "google": they are the partitions whose
#: splits share no image, and the ones that published tables report.
PREFERRED_PARTITIONS = ("unc", "umd")


def list_partitions(folder: str | Path) -> dict[str, Path]:
    """Map each partition of a folder to its file, the pickle where there is JSON as well."""
    partitions: dict[str, Path] = {}
    for ending in (".p", ".json"):
        for path in Path(folder).glob(f"refs(*){ending}"):
            partitions.setdefault(path.name.removeprefix("refs(").removesuffix(f"){ending}"), path)
    return dict(sorted(partitions.items()))


def read_refer(
    folder: str | Path, *, partition: str | None = None, instances: Instances | None = None
) -> ExpressionTable:
    """Read one dataset folder of the REFER release.

    A sentence whose cleaned text is empty (it was nothing but punctuation) takes its raw text
    instead, and the other way round, so that the published counts stay true.

    Args:
        folder: the folder with ``instances.json`` and ``refs(<partition>).p`` or ``.json``.
        partition: "unc", "google" or "umd". Without it, the only one there is; where "google"
            lies beside "unc" (RefCOCO) or "umd" (G-Ref), the latter.
        instances: the folder's `read_instances`, if it was read before.

    Returns:
        The checked table, in file order.

    Raises:
        DataError: a file is missing or malformed; says which file, which ref and which field.
    """
    folder = Path(folder)
    path = _partition_path(folder, partition)
    if instances is None:
        instances = read_instances(folder)
    refs = read_pickle(path) if path.suffix == ".p" else read_json(path)
    if not isinstance(refs, list):
        raise DataError(f"{path}: expected a list of refs, got {show(refs)}")
    if not refs:
        raise DataError(f"{path}: the list of refs is empty")
    rows: list[Expression] = []
    for index, ref in enumerate(refs):
        where = f"{path}: ref {index}"
        ref = as_mapping(ref, where=where)
        where += f" (ref_id {show(ref.get('ref_id'))})"
        ann_id = int_field(ref, "ann_id", where=where)
        image_id = int_field(ref, "image_id", where=where)
        if ann_id not in instances.annotations:
            raise DataError(f"{where}: field 'ann_id': {ann_id} is not in {instances.path}")
        if image_id not in instances.images:
            raise DataError(f"{where}: field 'image_id': {image_id} is not in {instances.path}")
        annotation, image = instances.annotations[ann_id], instances.images[image_id]
        rows.extend(expressions_of_ref(ref, annotation=annotation, image=image, where=where))
    return ExpressionTable(rows, source=str(path))


def expressions_of_ref(
    ref: Mapping[str, Any],
    *,
    annotation: Annotation,
    image: ImageRecord,
    where: str,
    split: str | None = None,
) -> Iterator[Expression]:
    """Turn a ref record with ref_id, split, sent_ids and sentences into one row per sentence.

    Args:
        ref: the record.
        annotation: its object.
        image: its image.
        where: file and ref, for messages.
        split: name of the split in place of the record's own.

    Raises:
        DataError: a field is missing, malformed or contradicts another one.
    """
    ref_id = int_field(ref, "ref_id", where=where)
    if annotation.image_id != image.image_id:
        raise DataError(
            f"{where}: field 'image_id' is {image.image_id}, but annotation {annotation.ann_id} "
            f"belongs to image {annotation.image_id}"
        )
    own_split = str_field(ref, "split", where=where)
    sentences = list_field(ref, "sentences", where=where)
    if not sentences:
        raise DataError(f"{where}: field 'sentences' is empty; a ref needs at least one sentence")
    sent_ids: list[int] = []
    for number, sentence in enumerate(sentences):
        here = f"{where}, sentence {number}"
        sentence = as_mapping(sentence, where=here)
        sent_ids.append(int_field(sentence, "sent_id", where=here))
        raw, sent = (str_field(sentence, key, where=here) for key in ("raw", "sent"))
        if not raw.strip() and not sent.strip():
            raise DataError(f"{here}: fields 'raw' and 'sent' are both empty")
        yield Expression(
            sent_id=sent_ids[-1],
            ref_id=ref_id,
            ann_id=annotation.ann_id,
            image_id=image.image_id,
            split=own_split if split is None else split,
            raw=raw if raw.strip() else sent,
            sent=sent if sent.strip() else raw,
            category=annotation.category,
            bbox=annotation.bbox,
            height=image.height,
            width=image.width,
            segmentation=annotation.segmentation,
            file_name=image.file_name,
        )
    listed = list_field(ref, "sent_ids", where=where)
    # Nothing promises that both are in the same order.
    if not all(isinstance(sent_id, Integral) for sent_id in listed) or sorted(listed) != sorted(
        sent_ids
    ):
        raise DataError(
            f"{where}: field 'sent_ids' is {show(listed)}, but the sentences have the ids "
            f"{show(sent_ids)}"
        )


def default_partition(folder: str | Path) -> str:
    """Choose the partition where nobody names one: the only one, or else "unc" or "umd".

    Raises:
        DataError: the folder holds none, or the choice is not clear.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder")
    names = list(list_partitions(folder))
    if not names:
        raise DataError(
            f"{folder}: holds no refs(<partition>).p or .json, for instance refs(unc).p"
        )
    preferred = [name for name in PREFERRED_PARTITIONS if name in names]
    for choice in (names, preferred):
        if len(choice) == 1:
            return choice[0]
    listing = ", ".join(names)
    raise DataError(f"{folder}: holds several partitions ({listing}); choose one by partition=")


def _partition_path(folder: Path, partition: str | None) -> Path:
    name = default_partition(folder) if partition is None else partition
    partitions = list_partitions(folder)
    if name not in partitions:
        listing = ", ".join(partitions) or "none"
        raise DataError(f"{folder}: there is no partition {name!r}; it holds: {listing}")
    return partitions[name]
