"""What lies under every patch of a letterboxed drawn scene: its kind, its group or its part.

The labels that patch features are probed with. A pixel of the square takes the label of the pixel
of the picture that it came from; a patch takes the label of most of its pixels, and none (-1)
where no label covers enough of it or where it lies beside the picture.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from risbook.data.dataset import ReferData
from risbook.data.letterbox import Letterbox
from risbook.errors import DataError
from risbook.refscenes.parts import PARTS, part_labels
from risbook.refscenes.scene_types import CATEGORIES, SUPERCATEGORY_OF, SceneObject

#: What a patch is asked for.
LabelKind = Literal["kind", "group", "part"]

#: Names of the labels; 0 is always the background.
LABEL_NAMES: dict[str, tuple[str, ...]] = {
    "kind": ("background", *SUPERCATEGORY_OF),
    "group": ("background", *CATEGORIES),
    "part": ("background", *PARTS),
}

#: A patch has a label if that label covers at least this share of it.
MAJORITY = 0.6

Labels = npt.NDArray[np.int64]
#: Facts of a thing and its mask -> labels of the mask's pixels, or one for all of them.
_Painter = Callable[[dict[str, Any], npt.NDArray[np.bool_]], Labels | int]


def label_maps(
    data: ReferData, image_ids: Iterable[int], of: LabelKind = "kind"
) -> list[npt.NDArray[np.int64]]:
    """Label every pixel of some drawn scenes.

    Args:
        data: a drawn set; its ``scenes.json`` tells kinds and poses.
        image_ids: the pictures.
        of: what to tell, "kind", "group" or "part".

    Returns:
        One int64 (height, width) a picture: index of ``LABEL_NAMES[of]``, 0 for the background.

    Raises:
        DataError: the set is not a drawn one, a picture is unknown, or `of` is.
    """
    if of not in LABEL_NAMES:
        raise DataError(f"of: unknown {of!r}, choose one of {', '.join(LABEL_NAMES)}")
    paint = _PAINTERS[of]
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
        painted = np.zeros((record.height, record.width), np.int64)
        for thing, (_, mask) in zip(things, objects, strict=True):
            painted[mask] = paint(thing, mask)
        maps.append(painted)
    return maps


def patch_labels(
    data: ReferData,
    image_ids: Sequence[int],
    *,
    size: int = 96,
    patch: int = 8,
    of: LabelKind = "kind",
    majority: float = MAJORITY,
) -> Tensor:
    """Label the patches of letterboxed drawn scenes.

    Args:
        data: a drawn set.
        image_ids: N pictures.
        size: side S of the square, pixels.
        patch: side of a patch, pixels; S is a multiple of it.
        of: what to tell, "kind", "group" or "part".
        majority: share of a patch that its label must cover.

    Returns:
        int64 (N, S / patch, S / patch): index of ``LABEL_NAMES[of]``, -1 without a clear label.

    Raises:
        DataError: see `label_maps`; or patches do not fill the square.
    """
    classes = len(LABEL_NAMES.get(of, ()))
    found = [
        vote(letterboxed(one, size), patch=patch, classes=classes, majority=majority)
        for one in label_maps(data, image_ids, of)
    ]
    side = size // patch
    return torch.from_numpy(np.stack(found)) if found else torch.zeros(0, side, side).long()


def letterboxed(labels: Labels, size: int) -> Labels:
    """Letterbox a label map: every pixel of the square takes the nearest pixel's label.

    Args:
        labels: (height, width).
        size: side S of the square, pixels.

    Returns:
        (S, S), -1 beside the picture.
    """
    height, width = labels.shape
    (sx, _, dx), (_, sy, dy) = Letterbox(height=height, width=width, size=size).inverse
    x = np.rint(np.arange(size) * sx + dx).astype(int)
    y = np.rint(np.arange(size) * sy + dy).astype(int)
    square = labels[y.clip(0, height - 1)[:, None], x.clip(0, width - 1)[None]]
    outside = ((y < 0) | (y >= height))[:, None] | ((x < 0) | (x >= width))[None]
    return np.where(outside, -1, square)


def vote(labels: Labels, *, patch: int, classes: int, majority: float = MAJORITY) -> Labels:
    """Give every patch the label of most of its pixels.

    Args:
        labels: (S, S), -1 where there is none.
        patch: side of a patch, pixels.
        classes: number of labels.
        majority: share of all the patch's pixels, labelled or not, that the label must cover.

    Returns:
        (S / patch, S / patch), -1 where no label covers enough.

    Raises:
        DataError: patches do not fill the square.

    >>> vote(np.array([[1, 1, 0, 0], [1, 0, 0, 0]] * 2), patch=2, classes=2, majority=0.8).tolist()
    [[-1, 0], [-1, 0]]
    """
    size = len(labels)
    if patch <= 0 or labels.shape != (size, size) or size % patch:
        raise DataError(f"patches of {patch} pixels do not fill a picture of {labels.shape}")
    side = size // patch
    # Each pixel's patch and label as one number: one count for the whole square.
    place = np.arange(size) // patch
    cell = place[:, None] * side + place[None]
    known = labels >= 0
    counts = np.bincount(cell[known] * classes + labels[known], minlength=side * side * classes)
    counts = counts.reshape(side, side, classes)
    return np.where(counts.max(2) >= majority * patch**2, counts.argmax(2), -1)


def _kind(thing: dict[str, Any], mask: npt.NDArray[np.bool_]) -> int:
    return LABEL_NAMES["kind"].index(thing["kind"])


def _group(thing: dict[str, Any], mask: npt.NDArray[np.bool_]) -> int:
    return LABEL_NAMES["group"].index(SUPERCATEGORY_OF[thing["kind"]])


def _part(thing: dict[str, Any], mask: npt.NDArray[np.bool_]) -> Labels:
    return 1 + part_labels(SceneObject.from_record(thing), mask)


_PAINTERS: dict[str, _Painter] = {"kind": _kind, "group": _group, "part": _part}


def _read_scenes(data: ReferData) -> dict[str, Any]:
    path = data.folder / "scenes.json"
    if not path.is_file():
        raise DataError(f"{path}: is missing; only drawn sets have labels for every patch")
    try:
        return dict(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path}: is no record of scenes ({error})") from error
