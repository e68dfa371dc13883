"""Elements that backgrounds share: sky, hills, clouds, trees, grass and waves."""

import math

import numpy as np
from PIL import Image

from risbook.refscenes.background_types import BACKGROUNDS, GROUND_LIGHT, SKY, WATER
from risbook.refscenes.colours import RGB, darker, lighter, mix
from risbook.refscenes.sampling import UniformSampler
from risbook.refscenes.scaled_draw import ScaledDraw
from risbook.refscenes.scene_types import Scene
from risbook.refscenes.textures import Floats


class BackgroundCanvas:
    """A background while it is drawn, at twice the image size.

    Sizes are in canvas pixels: `w`, `h`, `hz` (y of the horizon) and `shore` (y where water ends);
    the horizon that is given is in image pixels. The image behind the canvas is `scale` times as
    large; all coordinates stay the same.
    """

    def __init__(
        self, scene: Scene, horizon: int, rng: np.random.Generator, scale: int = 1
    ) -> None:
        self.w, self.h, self.hz = scene.width * 2, scene.height * 2, horizon * 2
        self.time = scene.time if scene.time in SKY else ""
        self._light = GROUND_LIGHT[self.time]
        #: a random number in [low, high)
        self.uniform = UniformSampler(rng, 512).uniform
        self.uniform()  # unused; dropping it would change every published world
        pixels = np.zeros((self.h * scale, 3), np.float32)
        sky_rows = self.hz * scale
        background = BACKGROUNDS[scene.background]
        if not background.indoors:
            pixels[:sky_rows] = _gradient(sky_rows, *SKY[self.time or "day"])
        far, near = background.ground
        pixels[sky_rows:] = _gradient(len(pixels) - sky_rows, self.lit(far), self.lit(near))
        self.shore = self.hz
        if background.water:
            self.shore = self.hz + round((self.h - self.hz) * background.water)
            sky = SKY[self.time or "day"][1]
            water = [mix(self.lit(rgb), sky, 0.2) for rgb in WATER]
            water_end = self.shore * scale
            pixels[sky_rows:water_end] = _gradient(water_end - sky_rows, water[0], water[1])
        column = Image.fromarray(pixels.astype(np.uint8)[:, None])
        size = (self.w * scale, self.h * scale)
        self.image = column.resize(size, Image.Resampling.NEAREST)
        self.draw = ScaledDraw(self.image, scale)

    def lit(self, rgb: RGB) -> RGB:
        """A colour in the light of the scene's time."""
        r, g, b = (round(c * f) for c, f in zip(rgb, self._light, strict=True))
        return r, g, b

    def box(self, x0: float, y0: float, x1: float, y1: float, rgb: RGB) -> None:
        """Fill a rectangle; y0 is the upper side."""
        self.draw.rectangle((x0, y0, x1, y1), fill=rgb)

    def oval(self, x: float, y: float, rx: float, ry: float, rgb: RGB) -> None:
        """Fill an ellipse with centre (x, y) and half axes rx, ry."""
        self.draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=rgb)

    def ridge(self, base: float, height: float, rgb: RGB) -> None:
        """A chain of soft hills with its foot at y = base."""
        a, b, k = self.uniform(0, 6), self.uniform(0, 6), self.uniform(1.2, 2.2)
        top = [
            (x, base - height * (0.55 + 0.3 * math.sin(a + k * x / self.w * 4)
                                 + 0.15 * math.sin(b + x / self.w * 11)))
            for x in range(0, self.w + 13, 12)
        ]  # fmt: skip
        self.draw.polygon([(0, base + 2), *top, (self.w + 12, base + 2)], fill=rgb)

    def clouds(self, count: int) -> None:
        """Clouds with flat bottoms."""
        top, bottom = SKY[self.time or "day"]
        white = lighter(mix(top, bottom, 0.6), {"night": 0.10, "evening": 0.35}.get(self.time, 0.8))
        for _ in range(count):
            x, y = self.uniform(0, self.w), self.uniform(0.12, 0.6) * self.hz
            s = self.uniform(7, 14)
            for dx, r in ((-1.7, 0.7), (-0.7, 1.1), (0.5, 1.3), (1.6, 0.8)):
                cx, cy = x + dx * s, y - 0.5 * r * s
                box = (cx - r * s, cy - 0.6 * r * s, cx + r * s, cy + 0.5 * s)
                self.draw.ellipse(box, fill=white)

    def sky(self) -> None:
        """Sun, or moon and stars."""
        x, y = self.uniform(0.1, 0.9) * self.w, self.uniform(0.2, 0.5) * self.hz
        if self.time == "night":
            for _ in range(26):
                sx, sy = self.uniform(0, self.w), self.uniform(0, 0.9) * self.hz
                self.box(sx, sy, sx + 1, sy + 1, (214, 216, 220))
            self.oval(x, y, 10, 10, (244, 240, 214))
            # The bite of the crescent takes the colour of the sky around it.
            bite = mix(*SKY["night"], (y - 3) / self.hz)
            self.draw.ellipse((x - 3, y - 12, x + 13, y + 6), fill=bite)
        elif self.time == "evening":
            for r, share in ((26, 0.35), (20, 0.6), (14, 1.0)):
                self.oval(x, self.hz - 27, r, r, mix((250, 196, 142), (255, 226, 150), share))
        self.clouds(3 if self.uniform() < 0.7 else 5)

    def trees(self, count: int, base: float, size: float, rgb: RGB, *, pointed: bool) -> None:
        """Trees far away: round or pointed crowns on short trunks."""
        trunk = self.lit((126, 98, 76))
        for k in range(count):
            x = (k + self.uniform(0.1, 0.9)) / count * self.w
            s = size * self.uniform(0.7, 1.25)
            leaf = mix(rgb, darker(rgb, 0.3), self.uniform())
            self.box(x - 0.1 * s, base - 0.5 * s, x + 0.1 * s, base + 1, trunk)
            if pointed:
                for low, wide in ((0.15, 0.48), (0.5, 0.38), (0.85, 0.28)):
                    y = base - low * s
                    crown = ((x - wide * s, y), (x, y - 0.75 * s), (x + wide * s, y))
                    self.draw.polygon(crown, fill=leaf)
            else:
                for dx, dy, r in ((-0.3, 0.75, 0.42), (0.3, 0.8, 0.4), (0, 1.1, 0.45)):
                    self.oval(x + dx * s, base - dy * s, r * s, r * s, leaf)
                light = lighter(leaf, 0.14)
                self.oval(x - 0.12 * s, base - 1.15 * s, 0.24 * s, 0.24 * s, light)

    def grass(self, count: int, rgb: RGB, *, flowers: bool) -> None:
        """Blades of grass, larger when nearer."""
        for k in range(count):
            depth = self.uniform() ** 0.7
            x, y = self.uniform(0, self.w), self.hz + depth * (self.h - self.hz)
            s = 2 + 5 * depth
            tone = mix(rgb, darker(rgb, 0.3), 0.3 + 0.6 * self.uniform())
            self.draw.line(((x - 0.6 * s, y - s), (x, y), (x + 0.4 * s, y - 1.2 * s)), fill=tone)
            if flowers and k % 4 == 0:
                bloom = self.lit(((250, 246, 236), (246, 226, 150), (240, 196, 206))[k % 3])
                self.draw.ellipse((x + 1, y - s, x + 2 + 0.3 * s, y - 0.6 * s), fill=bloom)

    def waves(self, count: int) -> None:
        """Short bright lines on the water."""
        for _ in range(count):
            depth = self.uniform()
            x, y = self.uniform(0, self.w), self.hz + 3 + depth * (self.shore - self.hz - 6)
            s = 5 + 16 * depth
            rgb = mix(self.lit((236, 248, 248)), self.lit(WATER[1]), 0.35 + 0.35 * self.uniform())
            self.draw.line(((x, y), (x + s, y)), fill=rgb, width=1 + round(depth))


def _gradient(rows: int, top: RGB, bottom: RGB) -> Floats:
    share = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    first, last = np.array(top, np.float32), np.array(bottom, np.float32)
    return np.asarray(first + (last - first) * share)
