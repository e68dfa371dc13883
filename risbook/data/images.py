"""Picture files to arrays."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from risbook.errors import DataError


def read_image(path: str | Path, *, upright: bool = False) -> npt.NDArray[np.uint8]:
    """Decode a picture.

    Grey, CMYK and palette files become RGB.

    Args:
        path: a file of any format that Pillow reads.
        upright: turn the picture as the camera's rotation mark says. Data sets ignore the mark,
            because their annotations are drawn on the pixels as they are stored.

    Returns:
        Picture, (height, width, 3), red green blue, 0 to 255.

    Raises:
        DataError: the file is missing or broken.
    """
    if not Path(path).is_file():
        raise DataError(f"{path}: there is no such picture")
    try:
        with Image.open(path) as file:
            turned = ImageOps.exif_transpose(file) if upright else file
            return np.array(turned.convert("RGB"), dtype=np.uint8)
    # Pillow's decoders raise all of these on broken files.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path}: is not a picture that can be read ({error}); use another file, "
            "or fetch it again"
        ) from error
