"""A dataset at its original sizes: expressions, images, masks and captions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from risbook.data.checks import show
from risbook.data.expressions import Expression, ExpressionTable
from risbook.data.images import decode_image, read_image
from risbook.data.instances import Annotation, ImageRecord, Instances
from risbook.data.masks import BoolMask, decode_mask
from risbook.errors import DataError
from risbook.files import read_json

#: COCO's file names: those of train2014, and those of train2017, which holds the same images.
COCO_FILE_NAMES = ("COCO_train2014_{:012d}.jpg", "{:012d}.jpg")


@dataclass(frozen=True, kw_only=True, repr=False)
class ReferData:
    """The annotations of all splits, with images and masks that are decoded on demand.

    Args:
        name: what it was opened as, for titles and reports.
        folder: the folder that holds ``instances.json``.
        partition: the way of cutting into splits, "unc", "google" or "umd".
        expressions: the table of all expressions, in file order.
        instances: all images and objects, described or not.
        image_folders: folders of the images; the first that holds a file wins.
        row_images: image id -> the image (H, W, 3), the bytes of its file, or its path in an image
            folder, where the annotations bring images along.
        digests: file -> SHA-256 of its content, where that is known.
    """

    name: str
    folder: Path
    partition: str
    expressions: ExpressionTable
    instances: Instances
    image_folders: tuple[Path, ...]
    row_images: Mapping[int, bytes | str | npt.NDArray[np.uint8]] = field(default_factory=dict)
    digests: Mapping[Path, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"ReferData({self.name!r}, {self.expressions!r})"

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits: train, val, testA, testB, test, then any others."""
        return self.expressions.splits

    def image(self, expression: Expression | int) -> npt.NDArray[np.uint8]:
        """Decode the image of an expression, or of an image id: (height, width, 3), 0 to 255.

        Raises:
            DataError: the file is missing, broken, altered, or of another size than its record.
        """
        record = self._record(expression)
        size = (record.height, record.width)
        row_image = self.row_images.get(record.image_id)
        if isinstance(row_image, np.ndarray):
            return row_image
        if isinstance(row_image, bytes):
            name = f"{self.instances.path}: image {record.image_id}"
            return decode_image(row_image, name=name, size=size)
        path = self.image_path(record.image_id)
        return read_image(path, size=size, sha256=self.digests.get(path))

    def image_path(self, image_id: int) -> Path:
        """Find the file of an image, under its annotated name or one of COCO's two names.

        Raises:
            DataError: no image folder holds it.
        """
        record = self._record(image_id)
        names = [record.file_name, *(name.format(image_id) for name in COCO_FILE_NAMES)]
        row_image = self.row_images.get(image_id)
        if isinstance(row_image, str):
            names = [row_image, Path(row_image).name, *names]
        if Path(record.file_name).is_absolute() or ".." in Path(record.file_name).parts:
            raise DataError(
                f"{self.instances.path}: file_name {record.file_name!r} of image {image_id} "
                "leaves the image folder"
            )
        for folder in self.image_folders:
            for name in names:
                if (folder / name).is_file():
                    return folder / name
        places = ", ".join(str(folder) for folder in self.image_folders)
        raise DataError(
            f"image {image_id} ({record.file_name}) is in none of: {places}; "
            "put it there, or name its folder by images="
        )

    def mask(self, expression: Expression) -> BoolMask:
        """Decode the mask of an expression's object at the image's size, (height, width).

        Raises:
            DataError: the segmentation is malformed; names the annotation.
        """
        return self._decode(expression, self._record(expression))

    def objects(self, image_id: int) -> list[tuple[str, BoolMask]]:
        """List category and mask (height, width) of all objects of an image in file order.

        Objects that no sentence describes are among them; baselines need them.

        Raises:
            DataError: no image has this id, or a segmentation is malformed.
        """
        record = self._record(image_id)
        return [
            (annotation.category, self._decode(annotation, record))
            for annotation in self.instances.annotations_of(image_id)
        ]

    def caption(self, image_id: int) -> str:
        """The sentence that describes a whole drawn image.

        Raises:
            DataError: the dataset has no caption for this image.
        """
        if image_id not in self.captions:
            raise DataError(
                f"{self.folder / 'scenes.json'}: there is no caption of image {show(image_id)}; "
                "only drawn datasets have captions"
            )
        return self.captions[image_id]

    @cached_property
    def captions(self) -> Mapping[int, str]:
        """Image id -> caption, from ``scenes.json``; empty where there is no such file."""
        path = self.folder / "scenes.json"
        return _read_captions(path) if path.is_file() else {}

    def _record(self, expression: Expression | int) -> ImageRecord:
        image_id = expression.image_id if isinstance(expression, Expression) else expression
        if image_id not in self.instances.images:
            raise DataError(f"{self.instances.path}: there is no image with id {show(image_id)}")
        return self.instances.images[image_id]

    def _decode(self, target: Expression | Annotation, image: ImageRecord) -> BoolMask:
        try:
            return decode_mask(target.segmentation, image.height, image.width)
        except DataError as error:
            where = f"{self.instances.path}: annotation {target.ann_id}"
            raise DataError(f"{where}: {error}") from error


def _read_captions(path: Path) -> dict[int, str]:
    """Read ``{"<image id>": {"caption": "...", other facts}, ...}``."""
    scenes = read_json(path)
    try:
        return {int(image_id): str(scene["caption"]) for image_id, scene in scenes.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: is not a record of scenes, each with a caption "
            f"({type(error).__name__}: {error})"
        ) from error
