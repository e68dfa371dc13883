"""Samples of one's own, ``{"image": ..., "text": ..., "mask": ...}``, as a referring dataset.

They are held in memory, so this is for sets of some thousands of images. Larger ones are better
kept in the files of RefCOCO, which `risbook.data.open_data` reads image by image.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from risbook.data.dataset import ReferData
from risbook.data.expressions import Expression, ExpressionTable
from risbook.data.image_input import as_rgb
from risbook.data.images import read_image
from risbook.data.instances import Annotation, ImageRecord, Instances
from risbook.data.masks import BoolMask, encode_mask, mask_box
from risbook.errors import DataError, warn_user

#: Names that people give to the three parts of a sample.
IMAGE_KEYS = ("image", "img", "pixel_values")
TEXT_KEYS = ("text", "sentence", "sentences", "expression", "query", "caption")
MASK_KEYS = ("mask", "masks", "target", "label", "gt_mask")

#: The only split of samples that name none.
SPLIT = "all"


def from_samples(samples: Iterable[Any], *, name: str = "samples") -> ReferData:
    """Make a dataset of samples.

    Args:
        samples: a list or a torch dataset of mappings with ``image`` (as in
            `risbook.data.image_input.as_rgb`), ``text`` (a sentence, or a list of them for one
            object) and ``mask`` (of the image's size: array, tensor, PIL image or path; what is not
            0 is the object), or of triples (image, text, mask). A mapping may hold ``category`` and
            ``split`` as well.
        name: name of the dataset.

    Raises:
        DataError: names the sample that is malformed, and what it must hold.

    >>> image, mask = np.zeros((4, 6, 3), np.uint8), np.eye(4, 6)
    >>> data = from_samples([{"image": image, "text": "the left dog", "mask": mask}])
    >>> data.expressions[0].sent, int(data.mask(data.expressions[0]).sum())
    ('the left dog', 4)
    """
    expressions: list[Expression] = []
    records: dict[int, ImageRecord] = {}
    annotations: dict[int, Annotation] = {}
    images: dict[int, npt.NDArray[np.uint8]] = {}
    image_ids: dict[str, int] = {}
    for index, sample in enumerate(samples):
        where = f"{name}[{index}]"
        fields = _fields(sample, where)
        if index == 0 and "sent_id" in fields:
            warn_user(
                f"{where} is an item of a dataset, whose image is letterboxed; parts of a dataset "
                "keep the images' own resolution: data[:16], data[[1, 5, 7]] or data.filter(...)"
            )
        try:
            image = as_rgb(fields["image"])
            mask = _as_mask(fields["mask"], image.shape[:2])
        except DataError as error:
            raise DataError(f"{where}: {error}") from error
        # Samples of one image share its record, also with those of another list: its name is its
        # content, so that training notices an image that is held out.
        digest = _digest(image)
        image_id = image_ids.setdefault(digest, len(image_ids))
        height, width = mask.shape
        if image_id not in images:
            images[image_id] = image
            records[image_id] = ImageRecord(
                image_id=image_id, file_name=digest, height=height, width=width
            )
        annotation = Annotation(
            ann_id=index,
            image_id=image_id,
            category=str(fields.get("category", "object")),
            bbox=mask_box(mask),
            segmentation=encode_mask(mask),
        )
        annotations[index] = annotation
        for sentence in _sentences(fields["text"], where):
            expressions.append(
                Expression(
                    sent_id=len(expressions),
                    ref_id=index,
                    ann_id=index,
                    image_id=image_id,
                    split=str(fields.get("split", SPLIT)),
                    raw=sentence,
                    sent=sentence,
                    category=annotation.category,
                    bbox=annotation.bbox,
                    height=height,
                    width=width,
                    segmentation=annotation.segmentation,
                    file_name=records[image_id].file_name,
                )
            )
    if not expressions:
        raise DataError(f"{name}: there is no sample")
    folder = Path(name)
    return ReferData(
        name=name,
        folder=folder,
        partition="unknown",
        expressions=ExpressionTable(expressions, source=name),
        instances=Instances(path=folder, images=records, annotations=annotations, categories={}),
        image_folders=(folder,),
        row_images=images,
    )


def _fields(sample: Any, where: str) -> dict[str, Any]:
    """The image, the text and the mask of a sample by these names, and what else it holds."""
    if isinstance(sample, tuple | list) and len(sample) == 3:
        return dict(zip(("image", "text", "mask"), sample, strict=True))
    if not isinstance(sample, Mapping):
        raise DataError(
            f"{where} is a {type(sample).__name__}; a sample is a dictionary of image, text and "
            "mask, or a triple of them"
        )
    fields = dict(sample)
    for name, keys in (("image", IMAGE_KEYS), ("text", TEXT_KEYS), ("mask", MASK_KEYS)):
        key = next((key for key in keys if key in sample), None)
        if key is None:
            raise DataError(f"{where} has no {name!r}; it has {', '.join(map(str, sample))}")
        fields[name] = sample[key]
    return fields


def _sentences(text: Any, where: str) -> list[str]:
    sentences = [text] if isinstance(text, str) else text
    if not isinstance(sentences, list | tuple) or not sentences:
        raise DataError(f"{where}: the text must be a sentence or a list of sentences")
    if any(not isinstance(sentence, str) or not sentence.strip() for sentence in sentences):
        raise DataError(
            f"{where}: a sentence must be text that is not empty; as a control without "
            "language, give every sample one neutral word, such as 'object'"
        )
    return list(sentences)


def _as_mask(mask: Any, shape: tuple[int, int]) -> BoolMask:
    """Bring a mask to bool (H, W)."""
    if isinstance(mask, str | Path):
        mask = read_image(mask).any(axis=-1)  # in a file with a palette, objects have colours
    if hasattr(mask, "detach"):
        mask = mask.detach().cpu()
    array = np.asarray(mask)
    if array.ndim == 3 and 1 in (array.shape[0], array.shape[2]):
        array = array.squeeze(0 if array.shape[0] == 1 else 2)
    if array.shape != shape or array.dtype.kind not in "buif":
        raise DataError(
            f"the mask is an array of {array.dtype} {array.shape}; its image has "
            f"{shape[0]} x {shape[1]} pixels (height x width)"
        )
    # A probability above one half is the object; any other number counts by not being 0.
    is_object: BoolMask = array > 0.5 if array.dtype.kind == "f" else array != 0
    if not is_object.any():
        raise DataError("the mask is empty: it holds no pixel of an object")
    return is_object


def _digest(image: npt.NDArray[np.uint8]) -> str:
    return hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()
