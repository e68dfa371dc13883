"""Sprites of chairs, lamps, mugs, vases, suitcases, balls and umbrellas.

The front of an object, if it has one, faces right.
"""

from risbook.refscenes.colours import RGB, darker, lighter, mix
from risbook.refscenes.sprite_canvas import Shape, SpriteCanvas, around
from risbook.refscenes.textures import CLAY, CLOTH, METAL, SAME, WOOD

_POLE: RGB = (150, 112, 76)
_LEAF: RGB = (74, 132, 70)
_BULB: RGB = (255, 240, 176)


def _chair(c: SpriteCanvas, rgb: RGB, variant: int) -> None:
    far = darker(rgb, 0.2)
    c.limb("-20,46 -18,12", 6.5, far, WOOD)
    c.limb("34,44 36,12", 6.5, far, WOOD)
    if variant % 2:
        c.box(-36, 44, -10, 99, 9, rgb, WOOD, pattern=True)
        c.box(-31, 60, -15, 92, 6, lighter(rgb, 0.22), CLOTH, pattern=True)
    else:
        c.limb("-34,46 -38,96", 9, rgb, WOOD)
        c.limb("-10,48 -13,96", 9, rgb, SAME)
        for y in (92, 76, 61):
            c.limb(((-37, y), (-13, y + 1)), 11, rgb, WOOD, pattern=True)
    c.poly("-36,40 24,36 42,50 -14,54", lighter(rgb, 0.2), WOOD, pattern=True)
    c.poly("-36,41 24,37 24,29 -36,33", rgb, WOOD)
    c.poly("24,37 42,51 42,43 24,29", darker(rgb, 0.16), WOOD)
    c.limb("-32,36 -35,4", 9, rgb, WOOD)
    c.limb("20,32 22,4", 9, rgb, WOOD)
    c.line("-33,18 21,17", 4.5, darker(rgb, 0.15), WOOD)


def _lamp(c: SpriteCanvas, rgb: RGB, variant: int) -> None:
    shape = variant % 3
    if shape == 2:
        c.box(-12, 0, 12, 7, 2, darker(rgb, 0.2), METAL)
        c.box(-8, 6, 8, 15, 2, rgb, METAL)
        c.limb("0,12 0,66", 7.5, rgb, METAL)
        c.box(-8, 62, 8, 68, 2, darker(rgb, 0.15), METAL)
        c.poly("-11,68 11,68 17,88 -17,88", _BULB, METAL)
        c.line("0,68 0,88", 2.5, rgb, METAL)
        c.line("-11,68 -17,88", 3, rgb)
        c.line("11,68 17,88", 3, rgb)
        c.poly("-22,86 22,86 7,97 -7,97", rgb, METAL, pattern=True)
        c.oval(0, 98, 4, 4, rgb, METAL)
        return
    if shape == 0:
        c.oval(0, 4, 20, 5, darker(rgb, 0.25), METAL)
        c.limb("0,6 0,66", 5, darker(rgb, 0.15), METAL)
        low, wide, narrow = 62, 29, 17
    else:
        c.oval(0, 4, 22, 5, darker(rgb, 0.25), METAL)
        belly = "-8,6 -20,20 -14,38 -5,50 5,50 14,38 20,20 8,6"
        c.blob(belly, rgb, CLAY)
        c.oval(-8, 24, 4, 8, lighter(rgb, 0.5))
        low, wide, narrow = 48, 40, 24
    c.oval(0, low + 1, wide - 2, 5, _BULB, METAL)
    c.poly(
        ((-wide, low), (-narrow, 98), (narrow, 98), (wide, low), (0.5 * wide, low - 3),
         (-0.5 * wide, low - 3)), lighter(rgb, 0.08), CLOTH, pattern=True,
    )  # fmt: skip
    c.line(((-wide, low), (0, low - 3), (wide, low)), 3, darker(rgb, 0.2), CLOTH)
    c.line(((-narrow, 97), (narrow, 97)), 3, darker(rgb, 0.2), CLOTH)


def _mug(c: SpriteCanvas, rgb: RGB, variant: int) -> None:
    c.arc(46, 50, 30, 28, (-100, 115), 13, darker(rgb, 0.08), CLAY)
    c.blob("-52,88 -52,50 -48,16 -36,3 0,-1 36,3 48,16 52,50 52,88 0,78", rgb, CLAY, pattern=True)
    c.box(-44, 24, -35, 74, 4, lighter(rgb, 0.5))
    c.oval(0, 88, 52, 12, lighter(rgb, 0.3), CLAY)
    c.oval(0, 87, 44, 8.5, (96, 60, 40) if variant % 2 else (150, 96, 60), METAL)
    c.oval(-10, 88, 16, 3, (176, 122, 84))


def _vase(c: SpriteCanvas, rgb: RGB, variant: int) -> None:
    top = 99.0
    if variant % 2:
        top = 66.0
        for x, y in ((-24, 82), (0, 90), (24, 80), (12, 72)):
            c.limb(((0.2 * x, 56), (0.6 * x, 70), (x, y)), 4, _LEAF, CLOTH)
        c.blob("-4,64 -34,66 -40,78 -18,76", _LEAF, CLOTH)
        c.blob("4,64 34,62 42,72 20,74", darker(_LEAF, 0.15), CLOTH)
        petal: RGB = (250, 246, 236)
        for x, y in ((-24, 84), (24, 82), (0, 92)):
            c.oval(x - 5, y, 6, 6, petal, CLOTH)
            for dx, dy in ((5, 0), (0, 6), (0, -6)):
                c.oval(x + dx, y + dy, 6, 6, petal)
            c.oval(x, y, 4, 4, (240, 190, 70))
    k = top / 100
    belly = "-17,98 -13,86 -19,74 -36,54 -36,30 -22,4 0,0 22,4 36,30 36,54 19,74 13,86 17,98"
    c.blob(around(0, 0, 1, k, belly), rgb, CLAY, pattern=True)
    c.oval(0, 97 * k, 18, 4, lighter(rgb, 0.25), CLAY)
    c.oval(0, 97 * k, 13, 2.4, darker(rgb, 0.5))
    c.blob(around(0, 0, 1, k, "-27,50 -22,58 -19,46 -23,30"), lighter(rgb, 0.55), CLAY)


def _suitcase(c: SpriteCanvas, rgb: RGB, variant: int) -> None:
    trim = (214, 176, 120) if sum(rgb) < 560 else (140, 92, 58)
    handle = darker(trim, 0.3)
    for x in (-40, 40):
        c.oval(x, 4, 7, 5, (52, 50, 56), METAL)
    if variant % 2:
        c.limb("-18,70 -18,97 18,97 18,70", 6, (96, 96, 104), METAL)
        c.box(-56, 5, 56, 80, 9, rgb, CLOTH, pattern=True)
        c.box(-40, 18, 40, 44, 6, darker(rgb, 0.12), CLOTH)
    else:
        c.limb("-16,80 -14,96 14,96 16,80", 8, handle, CLOTH)
        c.box(-60, 5, 60, 86, 9, rgb, CLOTH, pattern=True)
        for x in (-36, 36):
            c.box(x - 6, 5, x + 6, 86, 0, trim, CLOTH)
            c.box(x - 5, 58, x + 5, 68, 1, (224, 206, 130), METAL)
        c.line("-60,64 60,64", 2.5, darker(rgb, 0.4), SAME)
    right, top = (56, 80) if variant % 2 else (60, 86)
    for x, inner in ((-right, 14 - right), (right, right - 14)):
        c.poly(((x, 5), (inner, 5), (x, 19)), trim, CLOTH)
        c.poly(((x, top), (inner, top), (x, top - 14)), trim, CLOTH)


def _ball(c: SpriteCanvas, rgb: RGB, variant: int) -> None:
    c.oval(0, 50, 50, 50, rgb, METAL, pattern=True)
    if variant % 2:
        seam = mix(rgb, (255, 255, 255), 0.55) if sum(rgb) < 600 else (150, 160, 180)
        c.arc(-70, 50, 56, 60, (-48, 48), 4.5, seam)
        c.arc(70, 50, 56, 60, (132, 228), 4.5, seam)
    c.oval(-17, 72, 12, 9, lighter(rgb, 0.6))
    c.oval(-21, 75, 5, 4, (255, 255, 255))


def _umbrella(c: SpriteCanvas, rgb: RGB, variant: int) -> None:
    c.limb("0,2 0,97", 4.5, _POLE, WOOD)
    c.oval(0, 3, 14, 4, darker(_POLE, 0.2), WOOD)
    c.poly("-60,61 0,67 60,61 0,57", darker(rgb, 0.5), CLOTH)
    c.line("0,54 0,64", 4.5, _POLE, WOOD)
    rim = "-63,58 -58,76 -36,91 0,97 36,91 58,76 63,58 48,64 33,57 16,63 0,56 -16,63 -33,57 -48,64"
    c.blob(rim, rgb, CLOTH, pattern=True)
    for foot, bend in ((-33, -22), (33, 22), (0, 0)):
        c.line(((0, 97), (bend, 82), (foot, 58)), 2.0, darker(rgb, 0.3))
    c.oval(-34, 78, 9, 4, lighter(rgb, 0.45) if variant % 2 else lighter(rgb, 0.3))
    c.oval(0, 98, 4, 4, _POLE, WOOD)


HOUSEHOLD: dict[str, Shape] = {
    "chair": Shape(_chair, extent=(46, 46, 104, 3), period=16),
    "lamp": Shape(_lamp, extent=(46, 46, 104, 3), period=12),
    "mug": Shape(_mug, extent=(62, 84, 104, 4), period=27),
    "vase": Shape(_vase, extent=(48, 48, 108, 4), period=19),
    "suitcase": Shape(_suitcase, extent=(64, 64, 104, 3), period=22),
    "ball": Shape(_ball, extent=(54, 54, 104, 3), period=30),
    "umbrella": Shape(_umbrella, extent=(68, 68, 104, 3), period=15),
}
