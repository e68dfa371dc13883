"""Two photographs with outlines and referring expressions of our own.

The drawn sets show no real object, and the photographs of RefCOCO may not be shared. These two
come with scikit-image and are free; the package carries smaller copies of them.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from risbook.data.images import read_image
from risbook.data.masks import BoolMask
from risbook.errors import ArgumentError
from risbook.files import read_json

PHOTOGRAPHS = ("astronaut", "coffee")
_FOLDER = Path(__file__).with_name("photograph_files")

#: Pixels are divided into so many rows and columns, and a mask holds those covered by half.
_SUBPIXELS = 4


@dataclass(frozen=True, eq=False, repr=False)
class Photograph:
    """A photograph with the masks of a few objects.

    Args:
        name: one of `PHOTOGRAPHS`.
        image: uint8 (H, W, 3).
        masks: object -> bool (H, W), its visible pixels, for instance ``masks["woman"]``.
        sentences: object -> the sentences that refer to it.
        credit: who took it, and its licence.
    """

    name: str
    image: npt.NDArray[np.uint8]
    masks: dict[str, BoolMask]
    sentences: dict[str, tuple[str, ...]]
    credit: str

    @property
    def expressions(self) -> list[tuple[str, BoolMask]]:
        """Every sentence with the mask (H, W) of its object."""
        return [
            (sentence, self.masks[name])
            for name, sentences in self.sentences.items()
            for sentence in sentences
        ]

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        return f"Photograph({self.name!r}, {height} x {width}: {', '.join(self.masks)})"


def load_photograph(name: str) -> Photograph:
    """Load a photograph from scikit-image, or the package's reduced copy where that is missing.

    Nothing is downloaded. For the reduced copy one line is printed.

    Args:
        name: "astronaut" (512 x 512 pixels) or "coffee" (400 x 600, height x width).

    Raises:
        ArgumentError: there is no such photograph.
    """
    if name not in PHOTOGRAPHS:
        raise ArgumentError(f"name: unknown {name!r}, choose one of {', '.join(PHOTOGRAPHS)}")
    record = read_json(_FOLDER / f"{name}.json")
    path = _path_in_scikit_image(name)
    if path is None:
        path = _FOLDER / f"{name}.jpg"
        print(f"scikit-image is not installed: {name} is a reduced copy")
    image = read_image(path)
    scale = image.shape[0] / record["height"]
    objects = {entry["name"]: entry for entry in record["objects"]}
    outlined = {
        key: fill_polygons(entry["polygons"], image.shape[:2], scale=scale)
        for key, entry in objects.items()
    }
    masks = {key: mask.copy() for key, mask in outlined.items()}
    for key, entry in objects.items():
        for nearer in entry["hidden_by"]:
            masks[key] &= ~outlined[nearer]
    sentences = {key: tuple(entry["sentences"]) for key, entry in objects.items()}
    return Photograph(name, image, masks, sentences, record["credit"])


def fill_polygons(
    polygons: list[list[Any]], size: tuple[int, ...], *, scale: float = 1.0
) -> BoolMask:
    """Fill polygons: bool (H, W).

    Args:
        polygons: flat lists ``[x, y, x, y, ...]``, where the pixel in column 0 reaches from 0 to 1.
        size: height and width of the mask.
        scale: factor for the points.

    >>> fill_polygons([[0, 0, 2, 0, 2, 1, 0, 1]], (2, 3)).astype(int).tolist()
    [[1, 1, 0], [0, 0, 0]]
    """
    height, width = size
    fine = Image.new("L", (width * _SUBPIXELS, height * _SUBPIXELS))
    draw = ImageDraw.Draw(fine)
    for polygon in polygons:
        # Pillow's points are the centres of pixels.
        points = np.array(polygon, dtype=float) * scale * _SUBPIXELS - 0.5
        draw.polygon(points.tolist(), fill=1)
    cells = np.asarray(fine).reshape(height, _SUBPIXELS, width, _SUBPIXELS)
    return np.asarray(cells.mean(axis=(1, 3)) > 0.5)


def _path_in_scikit_image(name: str) -> Path | None:
    """The installed file; its own loader would ask the network where the file is missing."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "data" / f"{name}.png"
    return path if path.is_file() else None
