"""Image files of strangers: formats, bit depths, and headers that promise too much."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PpmImagePlugin

from risbook.data.images import FORMATS, read_image
from risbook.errors import DataError


def encode(image: Image.Image, file_format: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format)
    return buffer.getvalue()


@pytest.mark.parametrize("file_format", FORMATS)
def test_every_listed_format_is_read_whatever_its_ending(tmp_path: Path, file_format: str) -> None:
    path = tmp_path / "image.jpg"
    path.write_bytes(encode(Image.new("RGB", (9, 5), (200, 100, 50)), file_format))
    pixels = read_image(path, size=(5, 9))
    assert np.abs(pixels.astype(int) - (200, 100, 50)).max() <= 40
    assert pixels.shape == (5, 9, 3)


def test_postscript_never_reaches_an_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An EPS file runs Ghostscript on its content where that is installed."""
    from PIL import EpsImagePlugin

    calls: list[object] = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *a, **k: calls.append(a))
    path = tmp_path / "photo.jpg"
    path.write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n"
        b"{ } loop\nshowpage\n%%EOF\n"
    )
    with pytest.raises(DataError, match=r"photo\.jpg: is not an image .*formats: JPEG, PNG"):
        read_image(path)
    assert not calls


@pytest.mark.parametrize("file_format", ["DDS", "JPEG2000", "ICO"])
def test_other_formats_are_refused_in_one_line(tmp_path: Path, file_format: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encode(Image.new("RGB", (16, 16)), file_format))
    with pytest.raises(DataError, match="is not an image that can be read") as caught:
        read_image(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "PPM"])
def test_16_bit_grey_is_scaled(tmp_path: Path, file_format: str) -> None:
    levels = np.array([[0, 128, 129, 257], [32_768, 65_278, 65_407, 65_535]], np.uint16)
    path = tmp_path / "grey.png"
    if file_format == "PPM":
        path.write_bytes(b"P5 4 2 65535\n" + levels.astype(">u2").tobytes())
    else:
        path.write_bytes(encode(Image.fromarray(levels), file_format))
    pixels = read_image(path)
    assert pixels.dtype == np.uint8
    expected = np.rint(levels / 257).astype(np.uint8)
    for channel in range(3):
        np.testing.assert_array_equal(pixels[:, :, channel], expected)


def test_values_without_a_known_range_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "depth.tif"
    path.write_bytes(encode(Image.fromarray(np.ones((2, 2), np.float32)), "TIFF"))
    with pytest.raises(DataError, match="floating-point values"):
        read_image(path)
    path.write_bytes(encode(Image.fromarray(np.full((2, 2), 70_000, np.int32)), "TIFF"))
    with pytest.raises(DataError, match="beyond 16 bits"):
        read_image(path)


def jpeg_that_claims(height: int, width: int) -> bytes:
    """A small JPEG whose header says another size."""
    content = encode(Image.new("RGB", (8, 8)), "JPEG")
    start = content.index(b"\xff\xc0") + 5
    return content[:start] + struct.pack(">HH", height, width) + content[start + 4 :]


def test_sizes_are_compared_before_anything_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*arguments: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    path = tmp_path / "huge.jpg"
    path.write_bytes(jpeg_that_claims(9_000, 9_000))
    with pytest.raises(DataError, match=r"has 9000 x 9000 pixels .* annotation says 8 x 8"):
        read_image(path, size=(8, 8))
    path.write_bytes(jpeg_that_claims(13_000, 13_000))
    for size in (None, (8, 8), (13_000, 13_000)):
        with (
            warnings.catch_warnings(),
            pytest.raises(DataError, match=r"claims more than 89,478,485 pixels"),
        ):
            warnings.simplefilter("error")
            read_image(path, size=size)


def test_a_png_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(999)))
    )
    with pytest.raises(DataError, match="claims more than"):
        read_image(path)


def test_whatever_a_decoder_raises_becomes_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "broken.ppm"
    path.write_bytes(encode(Image.new("RGB", (4, 4)), "PPM"))

    def load(*arguments: object) -> None:
        raise IndexError("index out of range")

    monkeypatch.setattr(PpmImagePlugin.PpmImageFile, "load", load)
    with pytest.raises(DataError, match=r"broken\.ppm: is not an image .*IndexError"):
        read_image(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    for path in (tmp_path, tmp_path / "nothing.jpg", tmp_path / "zero.jpg"):
        with pytest.raises(DataError, match="there is no such image file"):
            read_image(path)
