"""The brush of the drawn world: shapes in units of a thing's height, and their shading.

A thing is drawn two or three times too large on a small tile of its own. The alpha channel of the
tile holds no opacity but the number of the part that a pixel belongs to (head, sleeve, ...).
`SpriteCanvas.finish` compares neighbouring part numbers, which gives thin outlines, a light and a
dark side for every part, and where each material's texture goes; then it reduces the tile.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from risbook.refscenes.colours import RGB
from risbook.refscenes.textures import SAME, TEXTURE, Bools, Floats, pattern_mask, textures

#: Supersampling of the tiles: three times, or twice for things taller than `_TALL` pixels, whose
#: parts are large enough for it.
OVER = 3
_TALL = 26.0

Points = tuple[tuple[float, float], ...]


@lru_cache(maxsize=2048)
def _curve(points: Points) -> Points:
    """A closed Catmull-Rom curve through the points, five steps between neighbours."""
    p = np.array(points)
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
    """A finished thing at canvas resolution.

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
    """Draws one thing in its own units: 100 units are its height, (0, 0) is the foot point, y up.

    Args:
        height: height of the thing on the canvas, pixels.
        reach: how far it may extend from the foot point: left, right, up and down, units.
    """

    def __init__(self, *, height: float, reach: tuple[float, float, float, float]) -> None:
        unit = height / 100
        over = self.over = OVER if height <= _TALL else 2
        left, right, up, down = (math.ceil(side * unit) + 2 for side in reach)
        self.foot = (left, up)
        self.scale = unit * over
        self._x, self._y = left * over, up * over
        size = ((left + right) * over, (up + down) * over)
        self.image = Image.new("RGBA", size, (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self.image)
        self._material = [0]
        self._patterned = [False]

    def _ink(self, ink: RGB, material: int, main: bool) -> tuple[int, int, int, int]:
        if material != SAME:
            self._material.append(material)
            self._patterned.append(main)
        return (*ink, len(self._material) - 1)

    def _pixels(self, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        s, ox, oy = self.scale, self._x, self._y
        return [(ox + x * s, oy - y * s) for x, y in points]

    def oval(
        self, x: float, y: float, rx: float, ry: float, ink: RGB, material: int = SAME,
        *, main: bool = False,
    ) -> None:  # fmt: skip
        """Fill an ellipse with centre (x, y) and half axes rx, ry, units."""
        s = self.scale
        cx, cy, rx, ry = self._x + x * s, self._y - y * s, max(rx * s, 0.6), max(ry * s, 0.6)
        box = (cx - rx, cy - ry, cx + rx, cy + ry)
        self._draw.ellipse(box, fill=self._ink(ink, material, main))

    def ring(
        self, x: float, y: float, radius: float, width: float, ink: RGB, material: int = SAME
    ) -> None:
        """Draw a circle's line, `width` units wide, inside `radius`."""
        s = self.scale
        cx, cy, r = self._x + x * s, self._y - y * s, radius * s
        box = (cx - r, cy - r, cx + r, cy + r)
        ink4 = self._ink(ink, material, False)
        self._draw.ellipse(box, outline=ink4, width=max(2, round(width * s)))

    def arc(
        self, x: float, y: float, rx: float, ry: float, span: tuple[int, int], width: float,
        ink: RGB, material: int = SAME,
    ) -> None:  # fmt: skip
        """Draw a part of an ellipse's line; `span` in degrees, clockwise from the right."""
        s = self.scale
        cx, cy, rx, ry = self._x + x * s, self._y - y * s, rx * s, ry * s
        box = (cx - rx, cy - ry, cx + rx, cy + ry)
        ink4 = self._ink(ink, material, False)
        self._draw.arc(box, span[0], span[1], fill=ink4, width=max(1, round(width * s)))

    def poly(
        self, points: Sequence[tuple[float, float]], ink: RGB, material: int = SAME,
        *, main: bool = False,
    ) -> None:  # fmt: skip
        """Fill a polygon with sharp corners."""
        self._draw.polygon(self._pixels(points), fill=self._ink(ink, material, main))

    def blob(self, points: Points, ink: RGB, material: int = SAME, *, main: bool = False) -> None:
        """Fill a smooth closed curve through the points."""
        self.poly(_curve(points), ink, material, main=main)

    def box(
        self, x0: float, y0: float, x1: float, y1: float, corner: float, ink: RGB,
        material: int = SAME, *, main: bool = False,
    ) -> None:  # fmt: skip
        """Fill a rectangle with round corners; y0 is the lower side."""
        s = self.scale
        box = (self._x + x0 * s, self._y - y1 * s, self._x + x1 * s, self._y - y0 * s)
        ink4 = self._ink(ink, material, main)
        if corner * s < 1.5:
            self._draw.rectangle(box, fill=ink4)
        else:
            self._draw.rounded_rectangle(box, corner * s, fill=ink4)

    def limb(
        self, points: Sequence[tuple[float, float]], width: float, ink: RGB, material: int = SAME,
        *, main: bool = False,
    ) -> None:  # fmt: skip
        """Draw a thick line with round joints and ends."""
        ink4 = self._ink(ink, material, main)
        pixels, wide = self._pixels(points), max(2.0, width * self.scale)
        self._draw.line(pixels, fill=ink4, width=round(wide))
        r = wide / 2 - 0.5
        if r > 1.2:
            for x, y in pixels:
                self._draw.ellipse((x - r, y - r, x + r, y + r), fill=ink4)

    def line(
        self, points: Sequence[tuple[float, float]], width: float, ink: RGB, material: int = SAME
    ) -> None:
        """Draw a line with blunt ends, at least two tile pixels wide."""
        wide = max(2, round(width * self.scale))
        self._draw.line(self._pixels(points), fill=self._ink(ink, material, False), width=wide)

    def _cropped(self) -> tuple[Image.Image, tuple[int, int]]:
        """The part of the tile that was painted on, with a margin, and its foot point."""
        over = self.over
        box = self.image.getchannel("A").getbbox() or (0, 0, over, over)
        left, top = max(0, box[0] // over - 1), max(0, box[1] // over - 1)
        right, down = -(-box[2] // over) + 1, -(-box[3] // over) + 1
        crop = self.image.crop((left * over, top * over, right * over, down * over))
        return crop, (self.foot[0] - left, self.foot[1] - top)

    def finish(
        self, *, pattern: str, ink: RGB, period: float, flip: bool, light: int, shift: int
    ) -> Sprite:
        """Add pattern, outlines, shading and texture, and reduce to canvas resolution.

        Args:
            pattern: a word of `facts.PATTERNS`; it covers the parts drawn with `main=True`.
            ink: second ink of the pattern.
            period: distance between two stripes or spots, units.
            flip: True to mirror the thing, so that it faces left.
            light: -1 where light comes from the left, 1 from the right.
            shift: where to cut the textures; another number, another grain.

        Returns:
            The sprite.
        """
        image, foot = self._cropped()
        if flip:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            foot = (image.width // self.over - foot[0], foot[1])
        pixels = np.array(image)
        part = np.ascontiguousarray(pixels[..., 3])
        if pattern != "plain":
            where = np.array(self._patterned)[part]
            height, width = part.shape
            side = -(-max(height, width) // 256) * 256
            cell = max(5, round(period * self.scale))
            where &= pattern_mask(pattern, cell, side)[:height, :width]
            pixels[where, :3] = ink
        pixels = _shaded(pixels, part, light, self.scale, self.over)
        pixels[..., 3] = (part > 0) * np.uint8(255)
        small = np.asarray(Image.fromarray(pixels).reduce(self.over))
        rgb = small[..., :3].astype(np.float32)
        material = np.array(self._material)[part[1 :: self.over, 1 :: self.over]]
        height, width = material.shape
        y, x = np.arange(height) + shift % 61, np.arange(width) + shift % 53
        grain = textures()[material, (y % TEXTURE)[:, None], (x % TEXTURE)[None]]
        # Light falls from above: every thing is a little darker towards its foot.
        fall = np.linspace(1.07, 0.93, height, dtype=np.float32)
        rgb *= (grain + fall[:, None])[..., None]
        alpha = small[..., 3:].astype(np.float32) * np.float32(1 / 255)
        return Sprite(rgb, alpha, small[..., 3] >= 128, foot)


def _shaded(
    pixels: npt.NDArray[np.uint8], part: npt.NDArray[np.uint8], light: int, scale: float, near: int
) -> npt.NDArray[np.uint8]:
    """Outline every part and give it a light and a dark side."""
    tone = np.full(part.shape, 128, dtype=np.uint16)
    for reach, lift, drop in ((max(near, round(5 * scale)), 6, 12), (near, 9, 13)):
        k = min(reach, 9)
        if part.shape[0] <= k or part.shape[1] <= k:
            continue
        upper_left, lower_right = part[:-k, :-k], part[k:, k:]
        upper_right, lower_left = part[:-k, k:], part[k:, :-k]
        if light < 0:
            differs = upper_left != lower_right
            tone[k:, k:] += differs * np.uint16(lift)
            tone[:-k, :-k] -= differs * np.uint16(drop)
        else:
            differs = upper_right != lower_left
            tone[k:, :-k] += differs * np.uint16(lift)
            tone[:-k, k:] -= differs * np.uint16(drop)
    across, down = part[:, 1:] != part[:, :-1], part[1:] != part[:-1]
    edge = np.zeros(part.shape, dtype=np.bool_)
    # Between two parts the line is one pixel wide; at the silhouette it lies inside the thing.
    empty = part == 0
    edge[:, 1:] = across
    edge[:, :-1] |= across & empty[:, 1:]
    edge[1:] |= down
    edge[:-1] |= down & empty[1:]
    tone[edge] = 68
    # One flat product is several times faster than a product that broadcasts over the channels.
    toned = pixels.reshape(-1) * np.repeat(tone.reshape(-1), 4)
    toned >>= 7
    return np.minimum(toned, 255).astype(np.uint8).reshape(pixels.shape)
