"""Letterbox an image into a square, and undo it, with the numbers of the released repositories.

CRIS (Wang et al., 2022), ETRIS (Xu et al., 2023), DETRIS (Huang et al., 2025) and MiCA (Li et al.,
2026) scale an image until it fits into a square of S x S, centre it and fill the rest with CLIP's
mean colour (``datasets`` folder of DETRIS, commit c94b1e1). They do it by OpenCV's ``warpAffine``,
so their figures depend on how that function rounds: source coordinates are cut to 1/32 pixel, and
the weights for 8-bit images are whole numbers that sum to 2**15. This module does the same sums in
numpy. That keeps a large library out of the requirements and, above all, holds still: OpenCV 5.0
answers the same call with up to 2 grey levels of difference to 4.8.

A letterbox neither turns nor shears, so all rows read the same source columns and all columns the
same source rows. That makes it quick without compiled code: 160 x 120 pixels to 128 take 1.1 ms,
640 x 480 to 416 take 6 ms, and back 1.6 ms, on one core of a current x86 server.

Measured against OpenCV 4.8.1 and 4.10.0 on 240 sizes from 1 x 1 to 640 x 480 and the recorded
outputs of ETRIS and DETRIS: matrices, images, masks and normalised images are equal in every
bit; the way back (`Letterbox.undo`) differs by at most 4e-7, because it sums float32 values first
along the rows and then along the columns.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from risbook.data.opencv_warp import (
    Float32,
    Float64,
    solve_affine,
    touched_part,
    warp_bytes,
    warp_floats,
    warp_matrices,
)
from risbook.errors import DataError

#: CLIP's mean and standard deviation of red, green and blue, for values from 0 to 1.
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

#: CLIP's mean colour as OpenCV fills it in, rounded to 8 bits: (123, 117, 104).
BORDER = tuple(round(255 * mean) for mean in CLIP_MEAN)


@dataclass(frozen=True)
class Letterbox:
    """The map from an image of height x width to a square of size x size, and back.

    Args:
        height: height of the image, pixels.
        width: width of the image, pixels.
        size: side S of the square, pixels.

    Raises:
        DataError: one of them is not a positive int; or a method gets an array of another shape or
            type.

    >>> letterbox = Letterbox(height=480, width=640, size=448)
    >>> letterbox.matrix.round(6).tolist()
    [[0.7, 0.0, 0.0], [0.0, 0.7, 56.0]]
    """

    height: int
    width: int
    size: int

    def __post_init__(self) -> None:
        for name in ("height", "width", "size"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value <= 0:
                raise DataError(f"letterbox {name} must be a positive int, got {value!r}")

    @cached_property
    def matrix(self) -> Float64:
        """Affine map from image to square, float64 (2, 3), for points (x, y, 1)."""
        return solve_affine(*self._corners())

    @cached_property
    def inverse(self) -> Float64:
        """Affine map from square to image, float64 (2, 3), solved for like the first one."""
        image, square = self._corners()
        return solve_affine(square, image)

    def image(self, rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Letterbox an image, bicubic, with CLIP's mean colour around it.

        Args:
            rgb: uint8 (height, width, 3).

        Returns:
            uint8 (S, S, 3).
        """
        self._check("image", rgb, (self.height, self.width, 3))
        if rgb.dtype != np.uint8:
            raise DataError(f"the image must be uint8, got {rgb.dtype}")
        return warp_bytes(rgb, self.matrix, (self.size, self.size), taps=4, fill=BORDER)

    def mask(self, mask: npt.NDArray[Any]) -> Float32:
        """Letterbox a mask, bilinear, so that its edges become soft, with 0 around it.

        Args:
            mask: (height, width), bool or numbers; everything that is not 0 is the object.

        Returns:
            float32 (S, S), multiples of 1/255 from 0 to 1.
        """
        return self.mask_levels(mask).astype(np.float32) / np.float32(255)

    def mask_levels(self, mask: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """`mask` before the division by 255: uint8 (S, S), which takes a quarter of the memory."""
        self._check("mask", mask, (self.height, self.width))
        # Only the object's box is warped: around it, mask and square are 0.
        (rows,), (columns,) = (np.nonzero(np.any(mask, axis=axis)) for axis in (1, 0))
        if not len(rows):
            return np.zeros((self.size, self.size), np.uint8)
        box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1, None]
        levels = np.where(box, np.uint8(255), np.uint8(0))
        origin, shape = (int(rows[0]), int(columns[0])), (self.size, self.size)
        square = warp_bytes(levels, self.matrix, shape, taps=2, fill=(0,), origin=origin)
        return square[:, :, 0]

    def inner_part(self) -> tuple[slice, slice]:
        """Rows and columns of the letterboxed image that are not border alone."""
        shape = (self.size, self.size)
        return touched_part(self.matrix, (self.height, self.width), shape, taps=4)

    def undo(self, probability: Float32) -> Float32:
        """Bring probabilities back to the image: bicubic, around it 0.

        Args:
            probability: square, float32 (S, S).

        Returns:
            float32 (height, width). Bicubic weights overshoot, so a value can lie a little below 0
            or above 1.
        """
        self._check("probability", probability, (self.size, self.size))
        values = np.asarray(probability, np.float32)
        return warp_floats(values, self.inverse, (self.height, self.width))

    def undo_matrices(self) -> tuple[Float32, Float32]:
        """`undo` as ``rows @ probability @ columns.T``, for many probabilities of one image.

        Returns:
            rows, float32 (height, S), and columns, float32 (width, S).
        """
        return warp_matrices(self.inverse, (self.size, self.size), (self.height, self.width))

    def _corners(self) -> tuple[Float64, Float64]:
        """Three corners of the image and where they go: (3, 2) each, rounded to float32."""
        height, width, size = self.height, self.width, self.size
        scale = min(size / height, size / width)
        new_height, new_width = height * scale, width * scale
        left, top = (size - new_width) / 2.0, (size - new_height) / 2.0
        image = [[0, 0], [width, 0], [0, height]]
        square = [[left, top], [new_width + left, top], [left, new_height + top]]
        # The released code hands float32 points to OpenCV, which is the noise in its matrices.
        return (
            np.array(image, np.float32).astype(np.float64),
            np.array(square, np.float32).astype(np.float64),
        )

    def _check(self, name: str, array: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
        if array.shape != shape:
            raise DataError(
                f"the {name} has shape {array.shape}, but this letterbox of "
                f"{self.height} x {self.width} pixels and size {self.size} needs {shape}"
            )


def normalise(image: npt.NDArray[np.uint8], *, out: Float32 | None = None) -> Float32:
    """Turn 8-bit colours into what CLIP was trained on.

    Args:
        image: uint8 (S, S, 3).
        out: float32 (3, S, S) that gets the result, for instance a place in a batch; None for a new
            array.

    Returns:
        float32 (3, S, S): values from 0 to 1, minus CLIP's mean, over CLIP's standard deviation.
    """
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (CLIP_MEAN, CLIP_STD))
    height, width, channels = image.shape
    normalised = np.empty((channels, height, width), np.float32) if out is None else out
    normalised[:] = image.transpose(2, 0, 1)
    for operation, values in ((np.divide, np.float32(255)), (np.subtract, mean), (np.divide, std)):
        operation(normalised, values, out=normalised)
    return normalised
