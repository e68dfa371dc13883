"""Image files to arrays.

Files come from anywhere, so that this is the one place where they are decoded, with three limits.
Pillow tries only the formats of `FORMATS`: of the others, EPS starts an interpreter (Ghostscript)
on the file's content. The size in the header is checked before any pixel is decoded. Grey values
of 16 bits are scaled; Pillow's own conversion clips them to white.
"""

import hashlib
import io
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from risbook.errors import DataError

#: Formats that are decoded, whatever a file's name ends in. PPM includes PGM and PBM.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")


def read_image(
    path: str | Path,
    *,
    upright: bool = False,
    size: tuple[int, int] | None = None,
    sha256: str | None = None,
) -> npt.NDArray[np.uint8]:
    """Decode an image file.

    Grey (8 or 16 bits), CMYK and palette files become RGB; transparency is dropped.

    Args:
        path: a file in one of `FORMATS`.
        upright: rotate the image as the camera's rotation mark says. Data sets ignore the mark,
            because their annotations are drawn on the pixels as they are stored.
        size: (height, width) that the file must have, pixels.
        sha256: digest that the file must have.

    Returns:
        Image, (height, width, 3), red green blue, 0 to 255.

    Raises:
        DataError: the file is missing, broken, of another format, or other than it must be.
    """
    if not Path(path).is_file():
        raise DataError(f"{path}: there is no such image file")
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(
            f"{path}: was altered since its dataset was made; remove the dataset and make it anew"
        )
    return decode_image(content, name=str(path), upright=upright, size=size)


def decode_image(
    content: bytes, *, name: str, upright: bool = False, size: tuple[int, int] | None = None
) -> npt.NDArray[np.uint8]:
    """Decode the bytes of an image file; arguments and errors are those of `read_image`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a file that decodes, oddities are no news
            # Pillow warns from 89 million pixels on and raises at twice as many.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            file = Image.open(io.BytesIO(content), formats=FORMATS)
            if size is not None and (file.height, file.width) != size:
                raise DataError(
                    f"{name}: has {file.height} x {file.width} pixels (height x width), but its "
                    f"annotation says {size[0]} x {size[1]}; use the image in its original size"
                )
            image = ImageOps.exif_transpose(file) if upright else file
            if image.mode.startswith("I"):
                return _rgb_of_16_bits(image, name)
            if image.mode == "F":
                raise DataError(
                    f"{name}: holds floating-point values of no known range; "
                    "save it with 8 or 16 bits"
                )
            # Converting RGB to RGB would copy it.
            return np.array(image if image.mode == "RGB" else image.convert("RGB"), np.uint8)
    except DataError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise DataError(
            f"{name}: claims more than {Image.MAX_IMAGE_PIXELS:,} pixels; scale it down first"
        ) from None
    # Pillow's decoders raise nearly anything on broken files.
    except Exception as error:
        reason = str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        raise DataError(
            f"{name}: is not an image that can be read ({reason}); use another file, "
            f"or fetch it again (formats: {', '.join(FORMATS)})"
        ) from error


def _rgb_of_16_bits(image: Image.Image, name: str) -> npt.NDArray[np.uint8]:
    """Scale grey values from 0..65535 to 0..255."""
    levels = np.asarray(image).astype(np.int64)
    if levels.min() < 0 or levels.max() > 65_535:
        raise DataError(f"{name}: holds grey values beyond 16 bits; save it with 8 or 16 bits")
    grey = ((levels + 128) // 257).astype(np.uint8)
    return np.stack([grey] * 3, axis=2)
