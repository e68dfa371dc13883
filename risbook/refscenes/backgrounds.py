"""What lies behind the things: one painter a place.

A background shows nothing that an expression could mean: no person, animal, vehicle or household
thing, only sky, hills, trees, houses, walls, water and ground.
"""

import math
from collections.abc import Sequence

import numpy as np

from risbook.refscenes.background_canvas import BackgroundCanvas
from risbook.refscenes.background_types import GROUND
from risbook.refscenes.colours import RGB, darker, lighter, mix
from risbook.refscenes.scene_types import Scene
from risbook.refscenes.textures import Floats, ground_noise


def _meadow(s: BackgroundCanvas) -> None:
    s.heaven()
    s.ridge(s.hz, 0.36 * s.hz, s.lit((166, 192, 190)))
    s.ridge(s.hz, 0.2 * s.hz, s.lit((160, 192, 136)))
    s.trees(5, s.hz + 2, 0.14 * s.hz + 6, s.lit((118, 158, 104)), pointed=False)
    s.tufts(70, s.lit((132, 170, 88)), flowers=s.roll() < 0.6)


def _park(s: BackgroundCanvas) -> None:
    s.heaven()
    s.trees(8, s.hz, 0.34 * s.hz, s.lit((134, 172, 122)), pointed=False)
    s.trees(5, s.hz + 4, 0.46 * s.hz, s.lit((112, 154, 100)), pointed=False)
    left, bend = s.roll(0.1, 0.5) * s.w, s.roll(0.1, 0.9) * s.w
    path = s.lit((228, 212, 178))
    points = [(bend, s.hz + 3), (bend + 10, s.hz + 3), (left + 0.55 * s.w, s.h), (left, s.h)]
    s.draw.polygon(points, fill=path)
    s.draw.line((points[1], points[2]), fill=darker(path, 0.18), width=2)
    s.tufts(50, s.lit((126, 166, 92)), flowers=True)


def _street(s: BackgroundCanvas) -> None:
    s.heaven()
    walls = ((222, 196, 172), (206, 188, 196), (226, 214, 184), (188, 200, 206), (214, 178, 160))
    x, k = -s.roll(0, 30), round(s.roll(0, 4))
    while x < s.w:
        wide, high = s.roll(42, 70), s.roll(0.5, 0.86) * s.hz
        wall = s.lit(walls[k % 5])
        top = s.hz - high
        s.draw.rectangle((x, top, x + wide - 1, s.hz), fill=wall)
        roof = s.lit((168, 108, 92) if k % 2 else (128, 116, 126))
        s.draw.polygon([(x - 2, top), (x + wide / 2, top - 14), (x + wide + 1, top)], fill=roof)
        pane = (250, 220, 140) if s.time == "night" else s.lit((176, 200, 212))
        y = top + 8
        while y < s.hz - 16:
            for j in range(3):
                px = x + wide * (0.14 + 0.28 * j)
                lit = pane if s.time != "night" or s.roll() < 0.5 else darker(wall, 0.4)
                s.draw.rectangle(
                    (px, y, px + 0.16 * wide, y + 9), fill=lit, outline=darker(wall, 0.3)
                )
            y += 18
        x, k = x + wide, k + 1
    ground = s.h - s.hz
    walk = s.lit((214, 206, 196))
    s.draw.rectangle((0, s.hz, s.w, s.hz + 0.2 * ground), fill=walk)
    s.draw.rectangle(
        (0, s.hz + 0.2 * ground, s.w, s.hz + 0.2 * ground + 2), fill=darker(walk, 0.35)
    )
    for x in range(-30, s.w + 60, 26):
        top = s.w / 2 + (x - s.w / 2) * 0.9
        s.draw.line(((top, s.hz), (x, s.hz + 0.2 * ground)), fill=darker(walk, 0.12))
    y, dash = s.hz + 0.5 * ground, s.lit((236, 232, 222))
    for x in range(-10, s.w, 44):
        s.draw.polygon([(x, y), (x + 22, y), (x + 20, y + 4), (x - 3, y + 4)], fill=dash)
    s.draw.rectangle((0, s.h - 0.16 * ground, s.w, s.h), fill=walk)
    s.draw.rectangle(
        (0, s.h - 0.16 * ground - 3, s.w, s.h - 0.16 * ground), fill=lighter(walk, 0.4)
    )


def _beach(s: BackgroundCanvas) -> None:
    s.heaven()
    if s.roll() < 0.6:
        s.ridge(s.hz, 0.16 * s.hz, s.lit((158, 184, 190)))
    s.waves(40)
    foam, a = s.lit((248, 250, 246)), s.roll(0, 6)
    edge = [
        (x, s.shore + 5 * math.sin(a + x / 34) + 3 * math.sin(x / 13)) for x in range(0, s.w + 9, 8)
    ]
    wet = s.lit((214, 190, 146))
    s.draw.line([(x, y + 4) for x, y in edge], fill=wet, width=9)
    s.draw.line(edge, fill=foam, width=5)
    for _ in range(16):
        depth = s.roll(0.45, 1)
        x, y, r = s.roll(0, s.w), s.hz + depth * (s.h - s.hz), 1 + 1.5 * depth
        s.draw.ellipse((x, y, x + 2 * r, y + r), fill=s.lit((206, 182, 140)))


def _snow(s: BackgroundCanvas) -> None:
    s.heaven()
    s.ridge(s.hz, 0.5 * s.hz, s.lit((196, 210, 228)))
    s.ridge(s.hz, 0.22 * s.hz, s.lit((222, 232, 242)))
    s.trees(8, s.hz + 3, 0.3 * s.hz, s.lit((118, 150, 140)), pointed=True)
    for _ in range(7):
        depth = s.roll(0.1, 1)
        x, y, r = s.roll(0, s.w), s.hz + depth * (s.h - s.hz), 14 + 40 * depth
        s.draw.ellipse((x - r, y, x + r, y + 0.22 * r), fill=s.lit((226, 236, 246)))
    for _ in range(45):
        x, y, r = s.roll(0, s.w), s.roll(0, s.h), s.roll(0.6, 1.6)
        s.draw.ellipse((x - r, y - r, x + r, y + r), fill=s.lit((250, 252, 254)))


def _harbour(s: BackgroundCanvas) -> None:
    s.heaven()
    s.ridge(s.hz, 0.3 * s.hz, s.lit((164, 184, 190)))
    s.ridge(s.hz, 0.16 * s.hz, s.lit((146, 172, 156)))
    s.waves(60)
    quay = s.lit((206, 196, 180))
    s.draw.rectangle((0, s.shore - 2, s.w, s.shore + 3), fill=lighter(quay, 0.3))
    s.draw.rectangle((0, s.shore - 8, s.w, s.shore - 3), fill=darker(quay, 0.45))
    _boards(s, s.shore + 3, darker(s.lit((190, 178, 160)), 0.14), 0.34)


def _boards(s: BackgroundCanvas, top: float, ink: RGB, spread: float) -> None:
    """Joints of boards or slabs that run away from the viewer."""
    for k in range(-9, 10):
        x = s.w / 2 + k * 0.13 * s.w
        s.draw.line(((s.w / 2 + (x - s.w / 2) * (1 - spread), top), (x * 1.0, s.h)), fill=ink)
    for share in (0.12, 0.3, 0.56):
        y = top + share * (s.h - top)
        s.draw.line(((0, y), (s.w, y)), fill=mix(ink, s.lit((220, 200, 170)), 0.4))


def _wall(s: BackgroundCanvas, inks: Sequence[RGB]) -> RGB:
    wall = inks[int(s.roll(0, len(inks) - 0.01))]
    s.draw.rectangle((0, 0, s.w, s.hz), fill=wall)
    if s.roll() < 0.55:
        for x in range(0, s.w, 24):
            s.draw.rectangle((x, 0, x + 11, s.hz), fill=lighter(wall, 0.16))
    return wall


def _window(s: BackgroundCanvas, x: float, y: float, wide: float, high: float) -> None:
    frame = (248, 244, 236)
    s.draw.rectangle((x - 4, y - 4, x + wide + 4, y + high + 4), fill=frame)
    s.draw.rectangle((x, y, x + wide, y + high), fill=(174, 212, 234))
    hill = (x + 2, y + 0.6 * high, x + wide - 2, y + 1.4 * high)
    s.draw.chord(hill, 180, 360, fill=(164, 196, 136))
    s.draw.rectangle((x - 4, y + high, x + wide + 4, y + high + 8), fill=(226, 216, 202))
    s.draw.rectangle((x, y + high - 1, x + wide, y + high), fill=frame)
    s.draw.rectangle((x + wide / 2 - 1, y, x + wide / 2 + 1, y + high), fill=frame)
    s.draw.rectangle((x, y + high / 2 - 1, x + wide, y + high / 2 + 1), fill=frame)


def _picture(s: BackgroundCanvas, x: float, y: float) -> None:
    """A small framed picture of hills."""
    wide, high = s.roll(34, 50), s.roll(30, 42)
    sky = ((236, 214, 184), (206, 222, 226))[int(s.roll(0, 1.99))]
    s.draw.rectangle((x - 4, y - 4, x + wide + 4, y + high + 4), fill=(164, 124, 84))
    s.draw.rectangle((x, y, x + wide, y + high), fill=sky)
    peaks = ((0, 0.8), (0.3, 0.4), (0.5, 0.65), (0.72, 0.3), (1, 0.75), (1, 1), (0, 1))
    ink = mix((140, 168, 150), sky, 0.3 * s.roll())
    s.draw.polygon([(x + a * wide, y + b * high) for a, b in peaks], fill=ink)


_WALLS: tuple[RGB, ...] = (
    (232, 220, 200), (202, 216, 208), (220, 206, 214), (204, 212, 226), (236, 216, 190),
)  # fmt: skip


def _room(s: BackgroundCanvas) -> None:
    wall = _wall(s, _WALLS)
    _picture(s, s.roll(0.1, 0.9) * s.w, 0.2 * s.hz)
    _window(s, s.roll(0.08, 0.62) * s.w, 0.16 * s.hz, 0.24 * s.w, 0.46 * s.hz)
    s.draw.rectangle((0, s.hz - 9, s.w, s.hz), fill=lighter(wall, 0.5))
    s.draw.line(((0, s.hz), (s.w, s.hz)), fill=darker(wall, 0.4), width=2)
    _boards(s, s.hz, (166, 126, 84), 0.4)
    rug = ((206, 186, 176), (186, 194, 200), (212, 200, 164))[int(s.roll(0, 2.99))]
    x, y, rx, ry = (
        s.w * s.roll(0.35, 0.65),
        s.hz + 0.6 * (s.h - s.hz),
        0.36 * s.w,
        0.27 * (s.h - s.hz),
    )
    for k, tone in ((1.0, darker(rug, 0.2)), (0.93, rug), (0.72, lighter(rug, 0.3)), (0.66, rug)):
        s.draw.ellipse((x - k * rx, y - k * ry, x + k * rx, y + k * ry), fill=tone)


def _table(s: BackgroundCanvas) -> None:
    _wall(s, _WALLS)
    _window(s, s.roll(0.05, 0.6) * s.w, 0.1 * s.hz, 0.34 * s.w, 0.6 * s.hz)
    if s.roll() < 0.5:
        cloth = ((238, 232, 220), (216, 226, 224))[int(s.roll(0, 1.99))]
        s.draw.rectangle((0, s.hz, s.w, s.h), fill=cloth)
        _boards(s, s.hz, darker(cloth, 0.16), 0.4)
    else:
        _boards(s, s.hz, (176, 134, 90), 0.1)
    s.draw.rectangle((0, s.hz - 2, s.w, s.hz + 1), fill=(150, 112, 78))


_PAINTERS = {
    "meadow": _meadow, "park": _park, "street": _street, "beach": _beach, "snow": _snow,
    "harbour": _harbour, "room": _room, "table": _table,
}  # fmt: skip


def render_background(scene: Scene, rng: np.random.Generator) -> Floats:
    """Paint a place without things.

    Args:
        scene: the facts; place, time, size and horizon are used.
        rng: chooses clouds, trees, houses and grain.

    Returns:
        float32 (H, W, 3), 0 to 255.
    """
    horizon = scene.horizon or round(0.4 * scene.height)
    sketch = BackgroundCanvas(scene, horizon, rng)
    _PAINTERS[scene.place](sketch)
    image = np.asarray(sketch.image.reduce(2)).astype(np.float32)
    rows, columns = scene.height - horizon, scene.width
    # The texture lies on the ground: rows shrink and columns close up towards the horizon.
    depth = (np.arange(rows, dtype=np.float32) + 4) / rows
    far = 0.75 / (depth + 0.12)
    across = (np.arange(columns, dtype=np.float32) - columns / 2)[None] * far[:, None]
    along = (far * 70).astype(np.int64)[:, None]
    u, v = int(sketch.roll(0, 256)), int(sketch.roll(0, 256))
    texture = ground_noise()[(along + v) % 256, (across.astype(np.int64) + u) % 256]
    strength = GROUND[scene.place][2] * np.minimum(1.0, 0.35 + depth)
    image[horizon:] *= 1 + (texture * strength[:, None])[..., None]
    image[:horizon] *= 1 + 0.012 * ground_noise()[u % 96 :, v % 96 :][:horizon, :columns, None]
    return image
