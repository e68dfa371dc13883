"""What people have as an image, as the array that a system reads."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from risbook.data.images import read_image
from risbook.data.letterbox import CLIP_MEAN, CLIP_STD
from risbook.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

ImageInput: TypeAlias = "str | Path | Image | NDArray[Any] | Tensor"
ImageList: TypeAlias = "list[ImageInput] | tuple[ImageInput, ...]"
ImageInputs: TypeAlias = "ImageInput | ImageList"


def as_rgb(image: ImageInput) -> NDArray[np.uint8]:
    """Bring an image to RGB.

    Args:
        image: a path; a PIL image; an array (H, W, 3), grey (H, W), or (H, W, 4), whose
            transparency is dropped, uint8 or float from 0 to 1; or a tensor (3, H, W): uint8, float
            from 0 to 1, or normalised as the items of `risbook.data.load` are.

    Returns:
        uint8 (H, W, 3).

    Raises:
        DataError: for anything else; the message says what was given.

    >>> as_rgb(np.zeros((2, 3), np.uint8)).shape
    (2, 3, 3)
    """
    if isinstance(image, str) and "://" in image:
        raise DataError(f"{image}: an address; download the image first, and give its path")
    if isinstance(image, str | Path):
        return read_image(Path(image), upright=True)
    if isinstance(image, np.ndarray):
        return _array_as_rgb(image)
    if isinstance(image, Tensor):
        return _tensor_as_rgb(image)
    import PIL.Image
    from PIL import ImageOps

    if isinstance(image, PIL.Image.Image):
        if min(image.size) < 1:
            raise DataError("the image has no pixels")
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    if isinstance(image, list | tuple):
        raise DataError(
            f"the image is a {type(image).__name__}; here it must be one image: a path, a PIL "
            "image, or an array (H, W, 3)"
        )
    raise DataError(
        f"the image is a {type(image).__name__}; give a path, a PIL image, or an array (H, W, 3) "
        "of uint8"
    )


def _tensor_as_rgb(image: Tensor) -> NDArray[np.uint8]:
    if image.ndim != 3 or image.shape[0] != 3 or 0 in image.shape:
        raise DataError(f"the image is a tensor {tuple(image.shape)}; it must be (3, H, W)")
    pixels = image.detach().cpu()
    if pixels.is_floating_point():
        if pixels.min() < 0 or pixels.max() > 1:  # normalised by CLIP's statistics
            mean, std = (torch.tensor(values)[:, None, None] for values in (CLIP_MEAN, CLIP_STD))
            pixels = pixels.float() * std + mean
        pixels = (255 * pixels.clamp(0, 1)).round()
    return _array_as_rgb(pixels.to(torch.uint8).permute(1, 2, 0).contiguous().numpy())


def _array_as_rgb(array: NDArray[Any]) -> NDArray[np.uint8]:
    channels = array.shape[2] if array.ndim == 3 else 1
    is_unit_range = array.dtype.kind == "f" and array.size and 0 <= array.min() <= array.max() <= 1
    if is_unit_range:
        array = (255 * array).round().astype(np.uint8)
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise DataError(
            f"the image is an array of {array.dtype} {array.shape}; it must be (H, W, 3), "
            "uint8 from 0 to 255 or float from 0 to 1"
        )
    if 0 in array.shape:
        raise DataError(f"the image is an array of shape {array.shape}, without a pixel")
    if array.ndim == 2:
        array = array[:, :, None]
    rgb = np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array[:, :, :3]
    return np.ascontiguousarray(rgb)
