"""Picture files to arrays."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from risbook.errors import DataError


def read_image(path: str | Path) -> npt.NDArray[np.uint8]:
    """Decode a picture.

    Grey, CMYK and palette files become RGB. A camera's rotation mark is ignored, because
    annotations are drawn on the pixels as they are stored.

    Args:
        path: a file of any format that Pillow reads.

    Returns:
        Picture, (height, width, 3), red green blue, 0 to 255.

    Raises:
        DataError: the file is missing or broken.
    """
    if not Path(path).is_file():
        raise DataError(f"{path}: there is no such picture")
    try:
        with Image.open(path) as file:
            return np.array(file.convert("RGB"), dtype=np.uint8)
    # Pillow's decoders raise all of these on broken files.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path}: is not a picture that can be read ({error}); use another file, "
            "or fetch it again"
        ) from error
