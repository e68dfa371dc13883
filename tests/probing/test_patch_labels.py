"""Labels of patches: they lie where the image's pixels land in the letterbox."""

from pathlib import Path

import numpy as np
import pytest

from risbook.data import ReferData, open_data
from risbook.data.letterbox import Letterbox
from risbook.errors import DataError
from risbook.probing.patch_labels import (
    LABEL_NAMES,
    label_maps,
    letterbox_labels,
    majority_label,
    patch_labels,
)


@pytest.fixture(scope="module")
def data(tiny_world: Path) -> ReferData:
    return open_data("refscenes", root=tiny_world)


def test_maps_tell_the_objects(data: ReferData) -> None:
    for image_id in list(data.instances.images)[:10]:
        (kinds,) = label_maps(data, [image_id])
        union = np.zeros(kinds.shape, bool)
        for kind, mask in data.objects(image_id):
            assert (kinds[mask] == LABEL_NAMES["kind"].index(kind)).all()
            union |= mask
        assert (kinds[~union] == 0).all()
        (groups,), (parts,) = (label_maps(data, [image_id], of) for of in ("group", "part"))
        assert ((groups > 0) == union).all()
        assert ((parts > 0) == union).all()


@pytest.mark.parametrize("shape", [(120, 160), (160, 120), (90, 160), (64, 64)])
def test_letterboxed_agrees_with_the_letterbox_of_masks(shape: tuple[int, int]) -> None:
    labels = np.zeros(shape, np.int64)
    labels[shape[0] // 4 : shape[0] // 2, shape[1] // 3 :] = 5
    square = letterbox_labels(labels, 96)
    soft = Letterbox(height=shape[0], width=shape[1], size=96).mask(labels == 5)
    assert ((square == 5) == (soft > 0.5))[(soft < 0.2) | (soft > 0.8)].all()
    inside = Letterbox(height=shape[0], width=shape[1], size=96).mask(np.ones(shape))
    assert ((square >= 0) == (inside > 0.5))[(inside < 0.2) | (inside > 0.8)].all()


def test_patches_take_a_clear_majority() -> None:
    square = np.zeros((4, 4), np.int64)
    square[:2, :2] = [[1, 1], [1, 0]]
    square[2:, :2] = [[1, 1], [0, 0]]
    square[2:, 2:] = -1
    assert majority_label(square, patch_size=2, classes=3).tolist() == [[1, 0], [-1, -1]]
    assert majority_label(square, patch_size=2, classes=3, majority=0.8).tolist() == [
        [-1, 0],
        [-1, -1],
    ]


def test_patch_labels_of_a_set(data: ReferData) -> None:
    ids = list(data.instances.images)[:8]
    for of, names in LABEL_NAMES.items():
        labels = patch_labels(data, ids, label_set=of)  # type: ignore[arg-type]
        assert labels.shape == (8, 12, 12)
        assert int(labels.min()) == -1
        assert 0 < int(labels.max()) < len(names)
    # A wide or a high image leaves bars without labels.
    record = data.instances.images[ids[0]]
    assert record.height != record.width
    bar = labels[0, 0] if record.width > record.height else labels[0, :, 0]
    assert (bar == -1).all()
    assert patch_labels(data, [], image_size=32).shape == (0, 4, 4)


def test_mistakes_are_told(data: ReferData) -> None:
    ids = list(data.instances.images)[:1]
    with pytest.raises(DataError, match="label_set: unknown"):
        patch_labels(data, ids, label_set="colour")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="do not fill"):
        patch_labels(data, ids, image_size=96, patch_size=7)
    with pytest.raises(DataError, match="no image"):
        patch_labels(data, [17])
