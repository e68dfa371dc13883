"""A canvas for one object: shapes in units of its height, outlines, shading and textures.

An object is drawn two or three times too large on a tile of its own. The alpha channel of the tile
holds no opacity but the index of the part that a pixel belongs to (head, sleeve, ...).
`SpriteCanvas.finish` compares neighbouring part indices: this gives thin outlines, a light and a
dark side of every part, and the place of each material's texture. Then it reduces the tile.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from risbook.refscenes.colours import RGB, RGB_OF, pattern_rgb
from risbook.refscenes.scene_types import SceneObject
from risbook.refscenes.textures import SAME, TEXTURE_SIZE, Bools, Floats, pattern_mask, textures

#: Supersampling of the tiles: three times, or twice for objects taller than `_TALL` pixels, whose
#: parts are large enough for it.
SUPERSAMPLING = 3
_TALL = 26.0

Point = tuple[float, float]
Points = tuple[Point, ...]
#: Largest distances of a drawing from the foot point: left, right, up and down, units.
Extent = tuple[float, float, float, float]


@lru_cache(maxsize=512)
def parse_points(text: str) -> Points:
    """Read points in the form of SVG: "x,y x,y ..."."""
    pairs = [pair.split(",") for pair in text.split()]
    return tuple((float(x), float(y)) for x, y in pairs)


def around(x: float, y: float, rx: float, ry: float, points: str) -> Points:
    """Points given in half axes rx, ry around a centre (x, y), in units."""
    return tuple((x + a * rx, y + b * ry) for a, b in parse_points(points))


@lru_cache(maxsize=2048)
def _curve(points: Points | str) -> Points:
    """A closed Catmull-Rom curve through the points, five steps between neighbours."""
    p = np.array(parse_points(points) if isinstance(points, str) else points)
    before, after, far = np.roll(p, 1, 0), np.roll(p, -1, 0), np.roll(p, -2, 0)
    t = np.arange(5)[:, None, None] / 5
    curve = 0.5 * (
        2 * p
        + (after - before) * t
        + (2 * before - 5 * p + 4 * after - far) * t**2
        + (3 * p - before - 3 * after + far) * t**3
    )
    return tuple((float(a), float(b)) for a, b in curve.transpose(1, 0, 2).reshape(-1, 2))


@dataclass(frozen=True, slots=True)
class Sprite:
    """A drawn object at image resolution.

    Args:
        rgb: float32 (h, w, 3), 0 to 255.
        alpha: float32 (h, w, 1), coverage in [0, 1].
        mask: bool (h, w), at least half covered.
        foot: (x, y) of the foot point inside the tile, pixels.
    """

    rgb: Floats
    alpha: Floats
    mask: Bools
    foot: tuple[int, int]


class SpriteCanvas:
    """Draws one object in its own units: 100 units are its height, (0, 0) is the foot point, y up.

    Points are pairs or text, see `parse_points`. The argument ``pattern`` of a shape says that the
    object's pattern covers it.

    Args:
        height: height of the object in the image, pixels.
        extent: space that the tile has around the foot point.
        image_scale: how many times its usual size the image has; lines and textures grow with it.
    """

    def __init__(self, *, height: float, extent: Extent, image_scale: int = 1) -> None:
        unit = height / 100
        self.image_scale = image_scale
        factor = self.supersampling = SUPERSAMPLING if height <= _TALL else 2
        left, right, up, down = (math.ceil(side * unit) + 2 for side in extent)
        self.foot = (left, up)
        self.scale = unit * factor
        self._x, self._y = left * factor, up * factor
        size = ((left + right) * factor, (up + down) * factor)
        self.image = Image.new("RGBA", size, (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self.image)
        self._material = [0]
        self._patterned = [False]

    def _fill(self, rgb: RGB, material: int, pattern: bool) -> tuple[int, int, int, int]:
        if material != SAME:
            self._material.append(material)
            self._patterned.append(pattern)
        return (*rgb, len(self._material) - 1)

    def _pixels(self, points: Points | str) -> list[Point]:
        pairs = parse_points(points) if isinstance(points, str) else points
        return [(self._x + x * self.scale, self._y - y * self.scale) for x, y in pairs]

    def _box(self, x: float, y: float, rx: float, ry: float) -> tuple[float, float, float, float]:
        """Corners of a box in tile pixels; centre and half sides in units."""
        s = self.scale
        cx, cy, rx, ry = self._x + x * s, self._y - y * s, max(rx * s, 0.6), max(ry * s, 0.6)
        return cx - rx, cy - ry, cx + rx, cy + ry

    def oval(
        self, x: float, y: float, rx: float, ry: float, rgb: RGB, material: int = SAME,
        *, pattern: bool = False,
    ) -> None:  # fmt: skip
        """Fill an ellipse with centre (x, y) and half axes rx, ry, units."""
        self._draw.ellipse(self._box(x, y, rx, ry), fill=self._fill(rgb, material, pattern))

    def ring(
        self, x: float, y: float, radius: float, width: float, rgb: RGB, material: int = SAME
    ) -> None:
        """Draw a circle's line, `width` units wide, inside `radius`."""
        fill, width = self._fill(rgb, material, False), max(2, round(width * self.scale))
        self._draw.ellipse(self._box(x, y, radius, radius), outline=fill, width=width)

    def arc(
        self, x: float, y: float, rx: float, ry: float, span: tuple[int, int], width: float,
        rgb: RGB, material: int = SAME,
    ) -> None:  # fmt: skip
        """Draw a part of an ellipse's line; `span` in degrees, clockwise from the right."""
        fill, width = self._fill(rgb, material, False), max(1, round(width * self.scale))
        self._draw.arc(self._box(x, y, rx, ry), span[0], span[1], fill=fill, width=width)

    def poly(
        self, points: Points | str, rgb: RGB, material: int = SAME,
        *, pattern: bool = False,
    ) -> None:  # fmt: skip
        """Fill a polygon with sharp corners."""
        self._draw.polygon(self._pixels(points), fill=self._fill(rgb, material, pattern))

    def blob(
        self, points: Points | str, rgb: RGB, material: int = SAME, *, pattern: bool = False
    ) -> None:
        """Fill a smooth closed curve through the points."""
        self.poly(_curve(points), rgb, material, pattern=pattern)

    def box(
        self, x0: float, y0: float, x1: float, y1: float, corner: float, rgb: RGB,
        material: int = SAME, *, pattern: bool = False,
    ) -> None:  # fmt: skip
        """Fill a rectangle with round corners; y0 is the lower side."""
        s = self.scale
        box = (self._x + x0 * s, self._y - y1 * s, self._x + x1 * s, self._y - y0 * s)
        rgba = self._fill(rgb, material, pattern)
        if corner * s < 1.5:
            self._draw.rectangle(box, fill=rgba)
        else:
            self._draw.rounded_rectangle(box, corner * s, fill=rgba)

    def limb(
        self, points: Points | str, width: float, rgb: RGB, material: int = SAME,
        *, pattern: bool = False,
    ) -> None:  # fmt: skip
        """Draw a thick line with round joints and ends."""
        rgba = self._fill(rgb, material, pattern)
        pixels, wide = self._pixels(points), max(2.0, width * self.scale)
        self._draw.line(pixels, fill=rgba, width=round(wide))
        r = wide / 2 - 0.5
        if r > 1.2:
            for x, y in pixels:
                self._draw.ellipse((x - r, y - r, x + r, y + r), fill=rgba)

    def line(self, points: Points | str, width: float, rgb: RGB, material: int = SAME) -> None:
        """Draw a line with blunt ends, at least two tile pixels wide."""
        wide = max(2, round(width * self.scale))
        self._draw.line(self._pixels(points), fill=self._fill(rgb, material, False), width=wide)

    def _crop(self) -> tuple[Image.Image, tuple[int, int]]:
        """The drawn part of the tile with a margin, and its foot point."""
        factor = self.supersampling
        box = self.image.getchannel("A").getbbox() or (0, 0, factor, factor)
        left, top = max(0, box[0] // factor - 1), max(0, box[1] // factor - 1)
        right, down = -(-box[2] // factor) + 1, -(-box[3] // factor) + 1
        crop = self.image.crop((left * factor, top * factor, right * factor, down * factor))
        return crop, (self.foot[0] - left, self.foot[1] - top)

    def finish(self, obj: SceneObject, *, period: float, light: int, seed: int) -> Sprite:
        """Add pattern, outlines, shading and texture, and reduce to image resolution.

        Args:
            obj: its pattern, its colour and the side that it faces are used.
            period: distance between two stripes or spots, units.
            light: -1 where light comes from the left, 1 from the right.
            seed: chooses the part of the textures.
        """
        factor = self.supersampling
        image, foot = self._crop()
        if obj.facing == "left":
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            foot = (image.width // factor - foot[0], foot[1])
        pixels = np.array(image)
        parts = np.ascontiguousarray(pixels[..., 3])
        if obj.pattern != "plain":
            height, width = parts.shape
            side = -(-max(height, width) // 256) * 256
            pattern = pattern_mask(obj.pattern, max(5, round(period * self.scale)), side)
            mask = np.array(self._patterned)[parts] & pattern[:height, :width]
            pixels[mask, :3] = pattern_rgb(RGB_OF[obj.colour])
        pixels = _shade(pixels, parts, light, self.scale, factor, self.image_scale)
        pixels[..., 3] = (parts > 0) * np.uint8(255)
        small = np.asarray(Image.fromarray(pixels).reduce(factor))
        rgb = small[..., :3].astype(np.float32)
        material = np.array(self._material)[parts[1::factor, 1::factor]]
        height, width = material.shape
        y, x = np.arange(height) + seed % 61, np.arange(width) + seed % 53
        side = TEXTURE_SIZE * self.image_scale
        texture = textures(self.image_scale)[material, (y % side)[:, None], (x % side)[None]]
        # Light falls from above: every object is a little darker towards its foot.
        falloff = np.linspace(1.07, 0.93, height, dtype=np.float32)
        rgb *= (texture + falloff[:, None])[..., None]
        alpha = small[..., 3:].astype(np.float32) * np.float32(1 / 255)
        return Sprite(rgb, alpha, small[..., 3] >= 128, foot)


class Shape(NamedTuple):
    """How a category is drawn.

    Args:
        draw: draws an object that faces right, given its colour and its variant.
        extent: of the drawing.
        period: distance between two stripes or spots, units.
    """

    draw: Callable[[SpriteCanvas, RGB, int], None]
    extent: Extent
    period: float


def _shade(
    pixels: npt.NDArray[np.uint8], parts: npt.NDArray[np.uint8], light: int, scale: float,
    factor: int, image_scale: int,
) -> npt.NDArray[np.uint8]:  # fmt: skip
    """Outline every part and give it a light and a dark side."""
    tone = np.full(parts.shape, 128, dtype=np.uint16)
    narrow = factor * image_scale
    for width, lift, drop in ((max(narrow, round(5 * scale)), 6, 12), (narrow, 9, 13)):
        k = min(width, 9 * image_scale)
        if parts.shape[0] <= k or parts.shape[1] <= k:
            continue
        upper_left, lower_right = parts[:-k, :-k], parts[k:, k:]
        upper_right, lower_left = parts[:-k, k:], parts[k:, :-k]
        if light < 0:
            differs = upper_left != lower_right
            tone[k:, k:] += differs * np.uint16(lift)
            tone[:-k, :-k] -= differs * np.uint16(drop)
        else:
            differs = upper_right != lower_left
            tone[k:, :-k] += differs * np.uint16(lift)
            tone[:-k, k:] -= differs * np.uint16(drop)
    across, down = parts[:, 1:] != parts[:, :-1], parts[1:] != parts[:-1]
    edge = np.zeros(parts.shape, dtype=np.bool_)
    # Between two parts the line is one pixel wide; at the silhouette it lies inside the object.
    empty = parts == 0
    edge[:, 1:] = across
    edge[:, :-1] |= across & empty[:, 1:]
    edge[1:] |= down
    edge[:-1] |= down & empty[1:]
    for _ in range(image_scale - 1):
        wider = edge.copy()
        wider[:, 1:] |= edge[:, :-1]
        wider[1:] |= edge[:-1]
        wider[:, :-1] |= edge[:, 1:]
        wider[:-1] |= edge[1:]
        edge = wider & ~empty
    tone[edge] = 68
    # One flat product is several times faster than a product that broadcasts over the channels.
    shaded = pixels.reshape(-1) * np.repeat(tone.reshape(-1), 4)
    shaded >>= 7
    return np.minimum(shaded, 255).astype(np.uint8).reshape(pixels.shape)
