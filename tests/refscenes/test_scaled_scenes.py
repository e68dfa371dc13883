"""Drawn scenes at several times their size: the same objects in the same places, finer."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from risbook.data.catalog import open_data
from risbook.data.masks import mask_box
from risbook.errors import ArgumentError
from risbook.refscenes import sample_folder
from risbook.refscenes.scaled_scenes import ScaledScenes


def mask_iou(mask: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    return float((mask & other).sum() / (mask | other).sum())


@pytest.mark.parametrize(
    "name", ["refscenes-sample", "refscenesg-sample", "refscenes-unseen-sample"]
)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_every_object_keeps_its_place(name: str, scale: int) -> None:
    small, large = open_data(name), open_data(name, scale=scale)
    for image_id, image in small.instances.images.items():
        shape = (image.height, scale, image.width, scale)
        pairs = zip(small.objects(image_id), large.objects(image_id), strict=True)
        for (category, mask), (large_category, large_mask) in pairs:
            share = large_mask.reshape(shape).mean(axis=(1, 3))
            # At even scales half a pixel is neither in nor out: the better of the two counts.
            iou = max(mask_iou(mask, share >= 0.5), mask_iou(mask, share > 0.5))
            assert category == large_category
            # The tubes of a bicycle are one or two pixels wide, so half a pixel counts for more.
            least = 0.8 if category == "bicycle" else 0.85
            assert iou >= least, (image_id, category, iou)
        pixels = small.image(image_id).astype(float)
        reduced_pixels = large.image(image_id).reshape(*shape, 3).mean(axis=(1, 3))
        assert np.abs(pixels - reduced_pixels).mean() < 16  # another scene: 40 and more


def test_records_agree_with_images_and_masks() -> None:
    small, large = open_data("refscenes-sample"), open_data("refscenes-sample", scale=3)
    assert large.splits == small.splits
    for before, after in zip(small.expressions, large.expressions, strict=True):
        assert after.segmentation["size"] == [3 * before.height, 3 * before.width]
        restored = {"height": before.height, "width": before.width, "bbox": before.bbox}
        assert replace(after, segmentation=before.segmentation, **restored) == before
        assert after.bbox == tuple(3 * side for side in before.bbox)
        assert large.image(after).shape == (after.height, after.width, 3)
        assert large.mask(after).shape == (after.height, after.width)
        assert np.allclose(mask_box(large.mask(after)), after.bbox, atol=7)
        assert large.caption(after.image_id) == small.caption(before.image_id)


def test_a_large_image_is_more_than_enlarged_pixels() -> None:
    image = open_data("refscenes-sample", scale=3).image(1000002)
    cells = image.reshape(image.shape[0] // 3, 3, image.shape[1] // 3, 3, 3).astype(float)
    assert cells.std(axis=(1, 3)).mean() > 3


def test_an_image_may_be_painted_over() -> None:
    data = open_data("refscenes-sample", scale=2)
    before = data.image(1000002)
    data.image(1000002)[:] = 0
    assert np.array_equal(data.image(1000002), before)


def test_a_scaled_set_can_be_pickled() -> None:
    data = open_data("refscenes-sample", scale=2)
    copied = pickle.loads(pickle.dumps(data))  # noqa: S301
    expression = copied.expressions[0]
    assert np.array_equal(copied.mask(expression), data.mask(expression))


@pytest.mark.parametrize("scale", [0, 5, -1, 2.5, True, "3"])
def test_an_impossible_scale_is_refused(scale: object) -> None:
    with pytest.raises(ArgumentError, match="scale: must be 1, 2, 3 or 4"):
        open_data("refscenes-sample", scale=scale)  # type: ignore[arg-type]


def test_only_a_drawn_world_has_other_sizes(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="only drawn sets"):
        ScaledScenes(tmp_path, (1,), 2)
    with pytest.raises(ArgumentError, match="only drawn sets"):
        open_data("hf:rows.jsonl", scale=2)


def test_scaled_images_are_a_mapping() -> None:
    scenes = ScaledScenes(sample_folder(), (1000001, 1000002), 2)
    assert list(scenes) == [1000001, 1000002]
    assert len(scenes) == 2
    record = open_data("refscenes-sample", scale=2).expressions[0].segmentation
    assert list(record) == ["size", "counts"]
    assert len(record) == 2
