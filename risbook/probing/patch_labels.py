"""Labels for the patches of letterboxed drawn scenes: kind, group or part of the object.

A pixel of the square takes the label of the image's pixel that it came from. A patch takes the
label of most of its pixels, or -1 in the padding and where no label covers enough of the patch.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from einops import rearrange
from torch import Tensor

from risbook.data.checks import as_mapping
from risbook.data.dataset import ReferData
from risbook.data.letterbox import Letterbox
from risbook.data.masks import BoolMask
from risbook.errors import DataError
from risbook.files import read_json
from risbook.refscenes.parts import PARTS, part_labels
from risbook.refscenes.scene_types import CATEGORIES, SUPERCATEGORY_OF, SceneObject

#: A set of labels.
LabelSet = Literal["kind", "group", "part"]

#: Names of the labels; 0 is always the background.
LABEL_NAMES: dict[str, tuple[str, ...]] = {
    "kind": ("background", *SUPERCATEGORY_OF),
    "group": ("background", *CATEGORIES),
    "part": ("background", *PARTS),
}

#: A patch has a label if that label covers at least this share of it.
MAJORITY = 0.6

Labels = npt.NDArray[np.int64]


def label_maps(
    data: ReferData, image_ids: Iterable[int], label_set: LabelSet = "kind"
) -> list[Labels]:
    """Label every pixel of drawn scenes.

    Args:
        data: a drawn set; its ``scenes.json`` records kinds and poses.
        image_ids: the scenes.
        label_set: "kind", "group" or "part".

    Returns:
        One int64 (H, W) per scene: index of ``LABEL_NAMES[label_set]``, 0 for the background.

    Raises:
        DataError: the set is not a drawn one, an image is unknown, or `label_set` is.
    """
    if label_set not in LABEL_NAMES:
        raise DataError(f"label_set: unknown {label_set!r}, choose one of {', '.join(LABEL_NAMES)}")
    scenes = _read_scenes(data)
    maps = []
    for image_id in image_ids:
        objects = data.objects(image_id)
        things = scenes.get(str(image_id), {}).get("things", [])
        if [kind for kind, _ in objects] != [thing["kind"] for thing in things]:
            raise DataError(
                f"{data.folder / 'scenes.json'}: the things of image {image_id} are not the "
                f"objects in {data.instances.path}; draw the world anew"
            )
        record = data.instances.images[image_id]
        labels = np.zeros((record.height, record.width), np.int64)
        for thing, (_, mask) in zip(things, objects, strict=True):
            labels[mask] = _labels_of_object(thing, mask, label_set)
        maps.append(labels)
    return maps


def patch_labels(
    data: ReferData,
    image_ids: Sequence[int],
    *,
    image_size: int = 96,
    patch_size: int = 8,
    label_set: LabelSet = "kind",
) -> Tensor:
    """Label the patches of letterboxed drawn scenes.

    Args:
        data: a drawn set.
        image_ids: N scenes.
        image_size: side S of the square, pixels.
        patch_size: side of a patch, pixels; S is a multiple of it.
        label_set: "kind", "group" or "part".

    Returns:
        int64 (N, S / patch_size, S / patch_size): index of ``LABEL_NAMES[label_set]``, -1 without
        a clear label.

    Raises:
        DataError: see `label_maps`; or patches do not fill the square.
    """
    classes = len(LABEL_NAMES.get(label_set, ()))
    labels = [
        majority_label(letterbox_labels(pixels, image_size), patch_size=patch_size, classes=classes)
        for pixels in label_maps(data, image_ids, label_set)
    ]
    side = image_size // patch_size
    return torch.from_numpy(np.array(labels, np.int64).reshape(len(labels), side, side))


def letterbox_labels(labels: Labels, image_size: int) -> Labels:
    """Letterbox a label map: every pixel of the square takes the nearest pixel's label.

    Args:
        labels: (H, W).
        image_size: side S of the square, pixels.

    Returns:
        (S, S), -1 in the padding.
    """
    height, width = labels.shape
    (sx, _, dx), (_, sy, dy) = Letterbox(height=height, width=width, size=image_size).inverse
    x = np.rint(np.arange(image_size) * sx + dx).astype(int).clip(-1, width)
    y = np.rint(np.arange(image_size) * sy + dy).astype(int).clip(-1, height)
    square: Labels = np.pad(labels, 1, constant_values=-1)[y[:, None] + 1, x + 1]
    return square


def majority_label(
    labels: Labels, *, patch_size: int, classes: int, majority: float = MAJORITY
) -> Labels:
    """Give every patch the label of most of its pixels.

    Args:
        labels: (S, S), -1 where there is none.
        patch_size: side of a patch, pixels.
        classes: number of labels.
        majority: share of all the patch's pixels, labelled or not, that the label must cover.

    Returns:
        (S / patch_size, S / patch_size), -1 where no label covers enough.

    Raises:
        DataError: patches do not fill the square.

    >>> square = np.array([[1, 1, 0, 0], [1, 0, 0, 0]] * 2)
    >>> majority_label(square, patch_size=2, classes=2, majority=0.8).tolist()
    [[-1, 0], [-1, 0]]
    """
    size = len(labels)
    if patch_size <= 0 or labels.shape != (size, size) or size % patch_size:
        raise DataError(f"patches of {patch_size} pixels do not fill an image of {labels.shape}")
    patches = rearrange(labels, "(h p) (w q) -> h w (p q)", p=patch_size, q=patch_size)
    counts = (patches[..., None] == np.arange(classes)).sum(axis=2)
    return np.where(counts.max(2) >= majority * patch_size**2, counts.argmax(2), -1)


def _labels_of_object(thing: dict[str, Any], mask: BoolMask, label_set: LabelSet) -> Labels | int:
    """Labels of the mask's pixels, or one label for all of them."""
    if label_set == "part":
        return 1 + part_labels(SceneObject.from_record(thing), mask)
    name = thing["kind"] if label_set == "kind" else SUPERCATEGORY_OF[thing["kind"]]
    return LABEL_NAMES[label_set].index(name)


def _read_scenes(data: ReferData) -> Mapping[str, Any]:
    path = data.folder / "scenes.json"
    if not path.is_file():
        raise DataError(f"{path}: is missing; only drawn sets have labels for every patch")
    return as_mapping(read_json(path), where=str(path))
