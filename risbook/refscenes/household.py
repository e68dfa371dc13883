"""How chairs, lamps, mugs, vases, suitcases, balls and umbrellas are painted."""

from risbook.refscenes.colours import RGB, RGB_OF, darker, lighter, mix
from risbook.refscenes.scene_types import SceneObject
from risbook.refscenes.sprite_canvas import SpriteCanvas
from risbook.refscenes.textures import CLAY, CLOTH, METAL, SAME, WOOD

_POLE: RGB = (150, 112, 76)
_LEAF: RGB = (74, 132, 70)
_BULB: RGB = (255, 240, 176)

#: kind -> reach of the drawing: left, right, up and down, units of its height.
REACH: dict[str, tuple[float, float, float, float]] = {
    "chair": (46, 46, 104, 3),
    "lamp": (46, 46, 104, 3),
    "mug": (62, 84, 104, 4),
    "vase": (48, 48, 108, 4),
    "suitcase": (64, 64, 104, 3),
    "ball": (54, 54, 104, 3),
    "umbrella": (68, 68, 104, 3),
}
#: kind -> distance of stripes or spots, units.
PERIOD: dict[str, float] = {
    "chair": 16, "lamp": 12, "mug": 27, "vase": 19, "suitcase": 22, "ball": 30, "umbrella": 15,
}  # fmt: skip


def draw_household(brush: SpriteCanvas, thing: SceneObject) -> None:
    """Paint a household thing; what has a front faces right.

    Args:
        brush: where to paint.
        thing: the facts.
    """
    paint = {
        "chair": _chair, "lamp": _lamp, "mug": _mug, "vase": _vase, "suitcase": _suitcase,
        "ball": _ball, "umbrella": _umbrella,
    }  # fmt: skip
    paint[thing.kind](brush, RGB_OF[thing.colour], thing.variant)


def _chair(b: SpriteCanvas, ink: RGB, variant: int) -> None:
    far = darker(ink, 0.2)
    b.limb(((-20, 46), (-18, 12)), 6.5, far, WOOD)
    b.limb(((34, 44), (36, 12)), 6.5, far, WOOD)
    if variant % 2:
        b.box(-36, 44, -10, 99, 9, ink, WOOD, main=True)
        b.box(-31, 60, -15, 92, 6, lighter(ink, 0.22), CLOTH, main=True)
    else:
        b.limb(((-34, 46), (-38, 96)), 9, ink, WOOD)
        b.limb(((-10, 48), (-13, 96)), 9, ink, SAME)
        for y in (92, 76, 61):
            b.limb(((-37, y), (-13, y + 1)), 11, ink, WOOD, main=True)
    b.poly(((-36, 40), (24, 36), (42, 50), (-14, 54)), lighter(ink, 0.2), WOOD, main=True)
    b.poly(((-36, 41), (24, 37), (24, 29), (-36, 33)), ink, WOOD)
    b.poly(((24, 37), (42, 51), (42, 43), (24, 29)), darker(ink, 0.16), WOOD)
    b.limb(((-32, 36), (-35, 4)), 9, ink, WOOD)
    b.limb(((20, 32), (22, 4)), 9, ink, WOOD)
    b.line(((-33, 18), (21, 17)), 4.5, darker(ink, 0.15), WOOD)


def _lamp(b: SpriteCanvas, ink: RGB, variant: int) -> None:
    shape = variant % 3
    if shape == 2:
        b.box(-12, 0, 12, 7, 2, darker(ink, 0.2), METAL)
        b.box(-8, 6, 8, 15, 2, ink, METAL)
        b.limb(((0, 12), (0, 66)), 7.5, ink, METAL)
        b.box(-8, 62, 8, 68, 2, darker(ink, 0.15), METAL)
        b.poly(((-11, 68), (11, 68), (17, 88), (-17, 88)), _BULB, METAL)
        b.line(((0, 68), (0, 88)), 2.5, ink, METAL)
        b.line(((-11, 68), (-17, 88)), 3, ink)
        b.line(((11, 68), (17, 88)), 3, ink)
        b.poly(((-22, 86), (22, 86), (7, 97), (-7, 97)), ink, METAL, main=True)
        b.oval(0, 98, 4, 4, ink, METAL)
        return
    if shape == 0:
        b.oval(0, 4, 20, 5, darker(ink, 0.25), METAL)
        b.limb(((0, 6), (0, 66)), 5, darker(ink, 0.15), METAL)
        low, wide, narrow = 62, 29, 17
    else:
        b.oval(0, 4, 22, 5, darker(ink, 0.25), METAL)
        b.blob(
            ((-8, 6), (-20, 20), (-14, 38), (-5, 50), (5, 50), (14, 38), (20, 20), (8, 6)),
            ink,
            CLAY,
        )
        b.oval(-8, 24, 4, 8, lighter(ink, 0.5))
        low, wide, narrow = 48, 40, 24
    b.oval(0, low + 1, wide - 2, 5, _BULB, METAL)
    b.poly(
        ((-wide, low), (-narrow, 98), (narrow, 98), (wide, low), (0.5 * wide, low - 3),
         (-0.5 * wide, low - 3)), lighter(ink, 0.08), CLOTH, main=True,
    )  # fmt: skip
    b.line(((-wide, low), (0, low - 3), (wide, low)), 3, darker(ink, 0.2), CLOTH)
    b.line(((-narrow, 97), (narrow, 97)), 3, darker(ink, 0.2), CLOTH)


def _mug(b: SpriteCanvas, ink: RGB, variant: int) -> None:
    b.arc(46, 50, 30, 28, (-100, 115), 13, darker(ink, 0.08), CLAY)
    b.blob(
        ((-52, 88), (-52, 50), (-48, 16), (-36, 3), (0, -1), (36, 3), (48, 16), (52, 50), (52, 88),
         (0, 78)), ink, CLAY, main=True,
    )  # fmt: skip
    b.box(-44, 24, -35, 74, 4, lighter(ink, 0.5))
    b.oval(0, 88, 52, 12, lighter(ink, 0.3), CLAY)
    b.oval(0, 87, 44, 8.5, (96, 60, 40) if variant % 2 else (150, 96, 60), METAL)
    b.oval(-10, 88, 16, 3, (176, 122, 84))


def _vase(b: SpriteCanvas, ink: RGB, variant: int) -> None:
    top = 99.0
    if variant % 2:
        top = 66.0
        for x, y in ((-24, 82), (0, 90), (24, 80), (12, 72)):
            b.limb(((0.2 * x, 56), (0.6 * x, 70), (x, y)), 4, _LEAF, CLOTH)
        b.blob(((-4, 64), (-34, 66), (-40, 78), (-18, 76)), _LEAF, CLOTH)
        b.blob(((4, 64), (34, 62), (42, 72), (20, 74)), darker(_LEAF, 0.15), CLOTH)
        petal: RGB = (250, 246, 236)
        for x, y in ((-24, 84), (24, 82), (0, 92)):
            b.oval(x - 5, y, 6, 6, petal, CLOTH)
            for dx, dy in ((5, 0), (0, 6), (0, -6)):
                b.oval(x + dx, y + dy, 6, 6, petal)
            b.oval(x, y, 4, 4, (240, 190, 70))
    k = top / 100
    b.blob(
        ((-17, 98 * k), (-13, 86 * k), (-19, 74 * k), (-36, 54 * k), (-36, 30 * k), (-22, 4 * k),
         (0, 0), (22, 4 * k), (36, 30 * k), (36, 54 * k), (19, 74 * k), (13, 86 * k), (17, 98 * k)),
        ink, CLAY, main=True,
    )  # fmt: skip
    b.oval(0, 97 * k, 18, 4, lighter(ink, 0.25), CLAY)
    b.oval(0, 97 * k, 13, 2.4, darker(ink, 0.5))
    b.blob(((-27, 50 * k), (-22, 58 * k), (-19, 46 * k), (-23, 30 * k)), lighter(ink, 0.55), CLAY)


def _suitcase(b: SpriteCanvas, ink: RGB, variant: int) -> None:
    trim = (214, 176, 120) if sum(ink) < 560 else (140, 92, 58)
    handle = darker(trim, 0.3)
    for x in (-40, 40):
        b.oval(x, 4, 7, 5, (52, 50, 56), METAL)
    if variant % 2:
        b.limb(((-18, 70), (-18, 97), (18, 97), (18, 70)), 6, (96, 96, 104), METAL)
        b.box(-56, 5, 56, 80, 9, ink, CLOTH, main=True)
        b.box(-40, 18, 40, 44, 6, darker(ink, 0.12), CLOTH)
    else:
        b.limb(((-16, 80), (-14, 96), (14, 96), (16, 80)), 8, handle, CLOTH)
        b.box(-60, 5, 60, 86, 9, ink, CLOTH, main=True)
        for x in (-36, 36):
            b.box(x - 6, 5, x + 6, 86, 0, trim, CLOTH)
            b.box(x - 5, 58, x + 5, 68, 1, (224, 206, 130), METAL)
        b.line(((-60, 64), (60, 64)), 2.5, darker(ink, 0.4), SAME)
    right = 56 if variant % 2 else 60
    top = 80 if variant % 2 else 86
    for side in (-1, 1):
        b.poly(((side * right, 5), (side * (right - 14), 5), (side * right, 19)), trim, CLOTH)
        b.poly(
            ((side * right, top), (side * (right - 14), top), (side * right, top - 14)), trim, CLOTH
        )


def _ball(b: SpriteCanvas, ink: RGB, variant: int) -> None:
    b.oval(0, 50, 50, 50, ink, METAL, main=True)
    if variant % 2:
        seam = mix(ink, (255, 255, 255), 0.55) if sum(ink) < 600 else (150, 160, 180)
        b.arc(-70, 50, 56, 60, (-48, 48), 4.5, seam)
        b.arc(70, 50, 56, 60, (132, 228), 4.5, seam)
    b.oval(-17, 72, 12, 9, lighter(ink, 0.6))
    b.oval(-21, 75, 5, 4, (255, 255, 255))


def _umbrella(b: SpriteCanvas, ink: RGB, variant: int) -> None:
    b.limb(((0, 2), (0, 97)), 4.5, _POLE, WOOD)
    b.oval(0, 3, 14, 4, darker(_POLE, 0.2), WOOD)
    low = 58
    b.poly(((-60, low + 3), (0, low + 9), (60, low + 3), (0, low - 1)), darker(ink, 0.5), CLOTH)
    b.line(((0, low - 4), (0, low + 6)), 4.5, _POLE, WOOD)
    rim = (
        (-63, low), (-58, 76), (-36, 91), (0, 97), (36, 91), (58, 76), (63, low), (48, low + 6),
        (33, low - 1), (16, low + 5), (0, low - 2), (-16, low + 5), (-33, low - 1), (-48, low + 6),
    )  # fmt: skip
    b.blob(rim, ink, CLOTH, main=True)
    for foot, bend in ((-33, -22), (33, 22), (0, 0)):
        b.line(((0, 97), (bend, 82), (foot, low)), 2.0, darker(ink, 0.3))
    b.oval(-34, 78, 9, 4, lighter(ink, 0.45) if variant % 2 else lighter(ink, 0.3))
    b.oval(0, 98, 4, 4, _POLE, WOOD)
