"""Renders backgrounds: one function per background.

A background shows nothing that an expression could denote: no person, animal, vehicle or household
object, only sky, hills, trees, houses, walls, water and ground.
"""

import math
from collections.abc import Sequence

import numpy as np

from risbook.refscenes.background_canvas import BackgroundCanvas
from risbook.refscenes.background_types import BACKGROUNDS
from risbook.refscenes.colours import RGB, darker, lighter, mix
from risbook.refscenes.scene_types import Scene
from risbook.refscenes.textures import Floats, ground_noise


def _meadow(c: BackgroundCanvas) -> None:
    c.sky()
    c.ridge(c.hz, 0.36 * c.hz, c.lit((166, 192, 190)))
    c.ridge(c.hz, 0.2 * c.hz, c.lit((160, 192, 136)))
    c.trees(5, c.hz + 2, 0.14 * c.hz + 6, c.lit((118, 158, 104)), pointed=False)
    c.grass(70, c.lit((132, 170, 88)), flowers=c.uniform() < 0.6)


def _park(c: BackgroundCanvas) -> None:
    c.sky()
    c.trees(8, c.hz, 0.34 * c.hz, c.lit((134, 172, 122)), pointed=False)
    c.trees(5, c.hz + 4, 0.46 * c.hz, c.lit((112, 154, 100)), pointed=False)
    left, bend = c.uniform(0.1, 0.5) * c.w, c.uniform(0.1, 0.9) * c.w
    path = c.lit((228, 212, 178))
    points = [(bend, c.hz + 3), (bend + 10, c.hz + 3), (left + 0.55 * c.w, c.h), (left, c.h)]
    c.draw.polygon(points, fill=path)
    c.draw.line((points[1], points[2]), fill=darker(path, 0.18), width=2)
    c.grass(50, c.lit((126, 166, 92)), flowers=True)


def _street(c: BackgroundCanvas) -> None:
    c.sky()
    walls = ((222, 196, 172), (206, 188, 196), (226, 214, 184), (188, 200, 206), (214, 178, 160))
    x, k = -c.uniform(0, 30), round(c.uniform(0, 4))
    while x < c.w:
        wide, high = c.uniform(42, 70), c.uniform(0.5, 0.86) * c.hz
        wall = c.lit(walls[k % 5])
        top = c.hz - high
        c.box(x, top, x + wide - 1, c.hz, wall)
        roof = c.lit((168, 108, 92) if k % 2 else (128, 116, 126))
        c.draw.polygon([(x - 2, top), (x + wide / 2, top - 14), (x + wide + 1, top)], fill=roof)
        pane = (250, 220, 140) if c.time == "night" else c.lit((176, 200, 212))
        y = top + 8
        while y < c.hz - 16:
            for j in range(3):
                px = x + wide * (0.14 + 0.28 * j)
                lit = pane if c.time != "night" or c.uniform() < 0.5 else darker(wall, 0.4)
                box = (px, y, px + 0.16 * wide, y + 9)
                c.draw.rectangle(box, fill=lit, outline=darker(wall, 0.3))
            y += 18
        x, k = x + wide, k + 1
    ground, walk = c.h - c.hz, c.lit((214, 206, 196))
    far_kerb, near_kerb = c.hz + 0.2 * ground, c.h - 0.16 * ground
    c.box(0, c.hz, c.w, far_kerb, walk)
    c.box(0, far_kerb, c.w, far_kerb + 2, darker(walk, 0.35))
    for x in range(-30, c.w + 60, 26):
        top = c.w / 2 + (x - c.w / 2) * 0.9
        c.draw.line(((top, c.hz), (x, far_kerb)), fill=darker(walk, 0.12))
    y, dash = c.hz + 0.5 * ground, c.lit((236, 232, 222))
    for x in range(-10, c.w, 44):
        c.draw.polygon([(x, y), (x + 22, y), (x + 20, y + 4), (x - 3, y + 4)], fill=dash)
    c.box(0, near_kerb, c.w, c.h, walk)
    c.box(0, near_kerb - 3, c.w, near_kerb, lighter(walk, 0.4))


def _beach(c: BackgroundCanvas) -> None:
    c.sky()
    if c.uniform() < 0.6:
        c.ridge(c.hz, 0.16 * c.hz, c.lit((158, 184, 190)))
    c.waves(40)
    foam, a = c.lit((248, 250, 246)), c.uniform(0, 6)
    xs = range(0, c.w + 9, 8)
    edge = [(x, c.shore + 5 * math.sin(a + x / 34) + 3 * math.sin(x / 13)) for x in xs]
    c.draw.line([(x, y + 4) for x, y in edge], fill=c.lit((214, 190, 146)), width=9)
    c.draw.line(edge, fill=foam, width=5)
    for _ in range(16):
        depth = c.uniform(0.45, 1)
        x, y, r = c.uniform(0, c.w), c.hz + depth * (c.h - c.hz), 1 + 1.5 * depth
        c.draw.ellipse((x, y, x + 2 * r, y + r), fill=c.lit((206, 182, 140)))


def _snow(c: BackgroundCanvas) -> None:
    c.sky()
    c.ridge(c.hz, 0.5 * c.hz, c.lit((196, 210, 228)))
    c.ridge(c.hz, 0.22 * c.hz, c.lit((222, 232, 242)))
    c.trees(8, c.hz + 3, 0.3 * c.hz, c.lit((118, 150, 140)), pointed=True)
    for _ in range(7):
        depth = c.uniform(0.1, 1)
        x, y, r = c.uniform(0, c.w), c.hz + depth * (c.h - c.hz), 14 + 40 * depth
        c.draw.ellipse((x - r, y, x + r, y + 0.22 * r), fill=c.lit((226, 236, 246)))
    for _ in range(45):
        x, y, r = c.uniform(0, c.w), c.uniform(0, c.h), c.uniform(0.6, 1.6)
        c.oval(x, y, r, r, c.lit((250, 252, 254)))


def _harbour(c: BackgroundCanvas) -> None:
    c.sky()
    c.ridge(c.hz, 0.3 * c.hz, c.lit((164, 184, 190)))
    c.ridge(c.hz, 0.16 * c.hz, c.lit((146, 172, 156)))
    c.waves(60)
    quay = c.lit((206, 196, 180))
    c.box(0, c.shore - 2, c.w, c.shore + 3, lighter(quay, 0.3))
    c.box(0, c.shore - 8, c.w, c.shore - 3, darker(quay, 0.45))
    _boards(c, c.shore + 3, darker(c.lit((190, 178, 160)), 0.14), 0.34)


def _boards(c: BackgroundCanvas, top: float, rgb: RGB, spread: float) -> None:
    """Joints of boards or slabs that run away from the viewer."""
    for k in range(-9, 10):
        x = c.w / 2 + k * 0.13 * c.w
        c.draw.line(((c.w / 2 + (x - c.w / 2) * (1 - spread), top), (x * 1.0, c.h)), fill=rgb)
    for share in (0.12, 0.3, 0.56):
        y = top + share * (c.h - top)
        c.draw.line(((0, y), (c.w, y)), fill=mix(rgb, c.lit((220, 200, 170)), 0.4))


def _wall(c: BackgroundCanvas, colours: Sequence[RGB]) -> RGB:
    wall = colours[int(c.uniform(0, len(colours) - 0.01))]
    c.box(0, 0, c.w, c.hz, wall)
    if c.uniform() < 0.55:
        for x in range(0, c.w, 24):
            c.box(x, 0, x + 11, c.hz, lighter(wall, 0.16))
    return wall


def _window(c: BackgroundCanvas, x: float, y: float, wide: float, high: float) -> None:
    frame = (248, 244, 236)
    c.box(x - 4, y - 4, x + wide + 4, y + high + 4, frame)
    c.box(x, y, x + wide, y + high, (174, 212, 234))
    hill = (x + 2, y + 0.6 * high, x + wide - 2, y + 1.4 * high)
    c.draw.chord(hill, 180, 360, fill=(164, 196, 136))
    c.box(x - 4, y + high, x + wide + 4, y + high + 8, (226, 216, 202))
    c.box(x, y + high - 1, x + wide, y + high, frame)
    c.box(x + wide / 2 - 1, y, x + wide / 2 + 1, y + high, frame)
    c.box(x, y + high / 2 - 1, x + wide, y + high / 2 + 1, frame)


def _painting(c: BackgroundCanvas, x: float, y: float) -> None:
    """A small framed painting of hills."""
    wide, high = c.uniform(34, 50), c.uniform(30, 42)
    sky = ((236, 214, 184), (206, 222, 226))[int(c.uniform(0, 1.99))]
    c.box(x - 4, y - 4, x + wide + 4, y + high + 4, (164, 124, 84))
    c.box(x, y, x + wide, y + high, sky)
    peaks = ((0, 0.8), (0.3, 0.4), (0.5, 0.65), (0.72, 0.3), (1, 0.75), (1, 1), (0, 1))
    rgb = mix((140, 168, 150), sky, 0.3 * c.uniform())
    c.draw.polygon([(x + a * wide, y + b * high) for a, b in peaks], fill=rgb)


_WALLS: tuple[RGB, ...] = (
    (232, 220, 200), (202, 216, 208), (220, 206, 214), (204, 212, 226), (236, 216, 190),
)  # fmt: skip


def _room(c: BackgroundCanvas) -> None:
    wall = _wall(c, _WALLS)
    _painting(c, c.uniform(0.1, 0.9) * c.w, 0.2 * c.hz)
    _window(c, c.uniform(0.08, 0.62) * c.w, 0.16 * c.hz, 0.24 * c.w, 0.46 * c.hz)
    c.box(0, c.hz - 9, c.w, c.hz, lighter(wall, 0.5))
    c.draw.line(((0, c.hz), (c.w, c.hz)), fill=darker(wall, 0.4), width=2)
    _boards(c, c.hz, (166, 126, 84), 0.4)
    rug = ((206, 186, 176), (186, 194, 200), (212, 200, 164))[int(c.uniform(0, 2.99))]
    x, y = c.w * c.uniform(0.35, 0.65), c.hz + 0.6 * (c.h - c.hz)
    rx, ry = 0.36 * c.w, 0.27 * (c.h - c.hz)
    for k, tone in ((1.0, darker(rug, 0.2)), (0.93, rug), (0.72, lighter(rug, 0.3)), (0.66, rug)):
        c.oval(x, y, k * rx, k * ry, tone)


def _table(c: BackgroundCanvas) -> None:
    _wall(c, _WALLS)
    _window(c, c.uniform(0.05, 0.6) * c.w, 0.1 * c.hz, 0.34 * c.w, 0.6 * c.hz)
    if c.uniform() < 0.5:
        cloth = ((238, 232, 220), (216, 226, 224))[int(c.uniform(0, 1.99))]
        c.box(0, c.hz, c.w, c.h, cloth)
        _boards(c, c.hz, darker(cloth, 0.16), 0.4)
    else:
        _boards(c, c.hz, (176, 134, 90), 0.1)
    c.box(0, c.hz - 2, c.w, c.hz + 1, (150, 112, 78))


_DRAW = {
    "meadow": _meadow, "park": _park, "street": _street, "beach": _beach, "snow": _snow,
    "harbour": _harbour, "room": _room, "table": _table,
}  # fmt: skip


def render_background(scene: Scene, rng: np.random.Generator, scale: int = 1) -> Floats:
    """Render the background of a scene without its objects.

    Args:
        scene: its sizes are those of the image at scale 1.
        rng: chooses details; the same numbers are drawn at every scale.
        scale: the image is so many times as large as the scene says.

    Returns:
        float32 (scale H, scale W, 3), 0 to 255.
    """
    horizon = scene.horizon or round(0.4 * scene.height)
    canvas = BackgroundCanvas(scene, horizon, rng, scale)
    _DRAW[scene.background](canvas)
    image = np.asarray(canvas.image.reduce(2)).astype(np.float32)
    horizon *= scale
    rows, columns = scale * scene.height - horizon, scale * scene.width
    # The texture lies on the ground: rows shrink and columns close up towards the horizon.
    depth = (np.arange(rows, dtype=np.float32) + 4 * scale) / rows
    far = 0.75 / (depth + 0.12)
    across = (np.arange(columns, dtype=np.float32) - columns / 2)[None] * far[:, None]
    along = (far * (70 * scale)).astype(np.int64)[:, None]
    u, v = (scale * int(canvas.uniform(0, 256)) for _ in range(2))
    noise, side = ground_noise(scale), 256 * scale
    texture = noise[(along + v) % side, (across.astype(np.int64) + u) % side]
    strength = BACKGROUNDS[scene.background].texture * np.minimum(1.0, 0.35 + depth)
    image[horizon:] *= 1 + (texture * strength[:, None])[..., None]
    u, v = u % (96 * scale), v % (96 * scale)
    image[:horizon] *= 1 + 0.012 * noise[u:, v:][:horizon, :columns, None]
    return image
