"""Letterbox: geometry, borders, softness, and the rounding of OpenCV 4.8 to 4.10."""

import zlib

import numpy as np
import numpy.typing as npt
import pytest

from risbook.data.letterbox import BORDER, CLIP_MEAN, CLIP_STD, Letterbox, normalise
from risbook.data.opencv_warp import _integer_weights, _weights
from risbook.errors import DataError

#: CRC-32 of what cv2.warpAffine of OpenCV 4.8.1 and of 4.10.0 gives for `pattern` and its mask.
OPENCV = [
    (1, 1, 32, 0xAA023CDA, 0xEFB5AF2E),
    (102, 288, 97, 0x4021A466, 0xD51D1080),
    (120, 160, 128, 0x6D68A9A2, 0x058EC7E8),
    (160, 120, 128, 0x52302F4B, 0x888C1917),
    (427, 640, 416, 0x8CE793E1, 0xACBB71DA),
    (37, 100, 448, 0x8B82895E, 0x34040EA1),
    (333, 500, 448, 0xF1A60112, 0xF5F5F942),
]


def pattern(height: int, width: int) -> npt.NDArray[np.uint8]:
    """An image with all grey levels and hard edges that needs no random generator."""
    y, x, colour = np.ogrid[:height, :width, :3]
    levels = (x * x * 7 + y * y * 13 + x * y * 5 + colour * 91) % 256
    return np.asarray(levels, np.uint8)


@pytest.mark.parametrize(("height", "width", "size", "image_crc", "mask_crc"), OPENCV)
def test_same_bytes_as_opencv(
    height: int, width: int, size: int, image_crc: int, mask_crc: int
) -> None:
    letterbox = Letterbox(height=height, width=width, size=size)
    image = pattern(height, width)
    assert zlib.crc32(letterbox.image(image).tobytes()) == image_crc
    levels = np.rint(letterbox.mask(image[:, :, 0] > 99) * 255).astype(np.uint8)
    assert zlib.crc32(levels.tobytes()) == mask_crc


@pytest.mark.parametrize(("height", "width"), [(30, 40), (40, 30), (37, 53), (1, 9), (9, 1)])
def test_matrices_undo_each_other_and_centre_the_image(height: int, width: int) -> None:
    letterbox = Letterbox(height=height, width=width, size=64)
    forward = np.vstack([letterbox.matrix, [0, 0, 1]])
    back = np.vstack([letterbox.inverse, [0, 0, 1]])
    assert np.abs(forward @ back - np.eye(3)).max() < 1e-5
    corners = letterbox.matrix @ np.array([[0, 0, 1], [width, height, 1]]).T
    assert np.abs(corners.sum(axis=1) - 64).max() < 1e-4
    assert np.ptp(corners, axis=1).max() == pytest.approx(64)


def test_an_image_of_the_right_size_stays_as_it_is() -> None:
    letterbox = Letterbox(height=32, width=32, size=32)
    image = pattern(32, 32)
    assert np.array_equal(letterbox.image(image), image)
    mask = image[:, :, 0] > 99
    assert np.array_equal(letterbox.mask(mask), mask.astype(np.float32))
    probability = (image[:, :, 1] / 255).astype(np.float32)
    assert np.array_equal(letterbox.undo(probability), probability)


def test_the_border_has_clips_mean_colour() -> None:
    letterbox = Letterbox(height=20, width=40, size=40)
    square = letterbox.image(np.zeros((20, 40, 3), np.uint8))
    assert (square[:9] == BORDER).all()
    assert (square[-9:] == BORDER).all()
    # A bicubic edge overshoots, but within the image the colour is its own.
    assert (square[12:28] == 0).all()
    assert BORDER == (123, 117, 104)
    assert np.abs(normalise(square[:1])).max() < 0.01


def test_masks_are_soft_at_edges_only() -> None:
    letterbox = Letterbox(height=30, width=30, size=64)
    mask = np.zeros((30, 30), np.bool_)
    mask[8:20, 10:25] = True
    soft = letterbox.mask(mask)
    assert soft.dtype == np.float32
    assert soft.min() == 0
    assert soft.max() == 1
    assert ((soft > 0) & (soft < 1)).any()
    assert soft.sum() == pytest.approx(mask.sum() * (64 / 30) ** 2, rel=0.02)
    assert np.array_equal(letterbox.mask(mask), letterbox.mask(mask.astype(np.uint8) * 7))


@pytest.mark.parametrize(("height", "width"), [(120, 160), (160, 120), (97, 41)])
def test_there_and_back(height: int, width: int) -> None:
    letterbox = Letterbox(height=height, width=width, size=128)
    y, x = np.ogrid[:height, :width]
    mask = ((y - height / 2) / height) ** 2 + ((x - width / 2) / width) ** 2 < 0.1
    back = letterbox.undo(letterbox.mask(mask)) > 0.5
    assert back.shape == mask.shape
    assert (back & mask).sum() / (back | mask).sum() > 0.97


def test_weights_sum_to_one_and_stay_exact_in_float32() -> None:
    assert np.array_equal(_weights(4).sum(axis=1), np.ones(32))
    for filter_taps in (2, 4):
        weights = _integer_weights(filter_taps)
        assert (weights.sum(axis=(0, 1)) == 2**15).all()
        assert np.abs(weights).sum(axis=(0, 1)).max() * 255 + 2**14 < 2**24


def test_normalise_is_clips() -> None:
    image = pattern(8, 8)
    expected = (image / 255 - np.array(CLIP_MEAN)) / np.array(CLIP_STD)
    tensor = normalise(image)
    assert tensor.shape == (3, 8, 8)
    assert tensor.dtype == np.float32
    assert np.abs(tensor - expected.transpose(2, 0, 1)).max() < 1e-6


@pytest.mark.parametrize(("height", "width"), [(1, 1000), (1000, 1), (3, 5000)])
@pytest.mark.parametrize("size", [127, 128])
def test_an_image_thinner_than_a_pixel_is_letterboxed(height: int, width: int, size: int) -> None:
    letterbox = Letterbox(height=height, width=width, size=size)
    square = letterbox.image(np.zeros((height, width, 3), np.uint8))
    assert square.shape == (size, size, 3)
    assert (square == BORDER).all(axis=2).mean() > 0.95
    mask = letterbox.mask(np.ones((height, width), np.bool_))
    # An odd square has no coordinate on the thin line, an even one has one.
    assert (mask.sum() > 0) == (size == 128 or (min(height, width) == 3 and size == 128))
    assert letterbox.undo(np.ones((size, size), np.float32)).shape == (height, width)


def test_mistakes_are_named() -> None:
    letterbox = Letterbox(height=20, width=30, size=16)
    with pytest.raises(DataError, match=r"image has shape \(30, 20, 3\)"):
        letterbox.image(np.zeros((30, 20, 3), np.uint8))
    with pytest.raises(DataError, match="uint8"):
        letterbox.image(np.zeros((20, 30, 3), np.float32))
    with pytest.raises(DataError, match="mask has shape"):
        letterbox.mask(np.zeros((20, 30, 1), np.bool_))
    with pytest.raises(DataError, match="probability has shape"):
        letterbox.undo(np.zeros((20, 30), np.float32))
    with pytest.raises(DataError, match="size must be a positive int"):
        Letterbox(height=20, width=30, size=0)
    with pytest.raises(DataError, match="height"):
        Letterbox(height=2.5, width=30, size=8)  # type: ignore[arg-type]
