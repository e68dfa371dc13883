"""Sprites of cars, buses, bicycles and boats; all face right."""

from risbook.refscenes.colours import RGB, darker, lighter
from risbook.refscenes.sprite_canvas import Shape, SpriteCanvas
from risbook.refscenes.textures import CLOTH, GLASS, METAL, SAME, WOOD

_TYRE: RGB = (46, 44, 50)
_HUB: RGB = (196, 198, 204)
_GLASS: RGB = (176, 214, 232)
_MAST: RGB = (126, 92, 62)


def _wheel(c: SpriteCanvas, x: float, radius: float) -> None:
    c.oval(x, radius, radius, radius, _TYRE, METAL)
    c.oval(x, radius, 0.55 * radius, 0.55 * radius, _HUB, METAL)
    c.oval(x, radius, 0.2 * radius, 0.2 * radius, darker(_HUB, 0.45))


def _car(c: SpriteCanvas, rgb: RGB, variant: int) -> None:
    c.box(-104, 14, 104, 30, 6, (70, 68, 74), METAL)
    # Panes: x of the lower left corner, and the outline.
    if variant % 2:
        roof = "-84,54 -74,82 -50,97 10,98 38,84 62,58 0,52"
        rear = (-68, "-68,60 -62,80 -46,89 -20,90 -20,60")
        front = (-12, "-12,60 -12,90 8,90 28,80 46,60")
    else:
        roof = "-104,56 -100,84 -84,97 16,98 42,84 64,58 0,52"
        rear = (-90, "-90,60 -86,86 -40,90 -40,60")
        front = (-32, "-32,60 -32,90 12,90 30,80 48,60")
    c.blob(roof, rgb, METAL)
    for x, pane in (rear, front):
        c.poly(pane, _GLASS, GLASS)
        c.poly(((x + 6, 60), (x + 14, 60), (x + 28, 88), (x + 20, 88)), lighter(_GLASS, 0.55))
    body = "-108,24 -110,50 -96,60 -40,62 40,61 84,56 108,44 110,26 70,20 -70,20"
    c.blob(body, rgb, METAL, pattern=True)
    for x in (-64, 64):
        c.oval(x, 22, 26, 25, darker(rgb, 0.5), METAL)
        _wheel(c, x, 21)
    c.line("-26,58 -26,26", 2, darker(rgb, 0.35))
    c.line("34,58 34,30", 2, darker(rgb, 0.35))
    c.box(-18, 47, -4, 51, 1, darker(rgb, 0.5))
    c.oval(103, 42, 7, 7, (255, 244, 190), METAL)
    c.box(-112, 40, -104, 52, 2, (190, 40, 40), METAL)
    c.box(86, 18, 114, 26, 3, (200, 202, 206), METAL)
    c.box(-114, 18, -88, 26, 3, (200, 202, 206), METAL)


def _bus(c: SpriteCanvas, rgb: RGB, variant: int) -> None:
    c.box(-100, 8, 102, 20, 4, (66, 64, 70), METAL)
    c.box(-106, 13, 106, 99, 13, rgb, METAL, pattern=True)
    c.box(-100, 90, 100, 98, 5, lighter(rgb, 0.35), METAL)
    c.box(-98, 56, 62, 86, 4, darker(rgb, 0.16), METAL)
    for k in range(4):
        x = -94 + 39 * k
        c.box(x, 58, x + 34, 84, 3, _GLASS, GLASS)
        c.poly(((x + 5, 58), (x + 11, 58), (x + 22, 84), (x + 16, 84)), lighter(_GLASS, 0.5))
    c.box(68, 18, 88, 86, 3, darker(_GLASS, 0.12), GLASS)
    c.line("78,18 78,86", 2, darker(rgb, 0.5))
    c.box(93, 46, 107, 86, 4, _GLASS, GLASS)
    c.box(-106, 44, 64, 49, 0, lighter(rgb, 0.55) if variant % 2 else darker(rgb, 0.3), METAL)
    for x in (-60, 46):
        c.oval(x, 19, 21, 20, darker(rgb, 0.55), METAL)
        _wheel(c, x, 17)
    c.oval(103, 30, 5, 6, (255, 244, 190), METAL)
    c.box(-109, 26, -103, 40, 2, (190, 40, 40), METAL)


def _bicycle(c: SpriteCanvas, rgb: RGB, variant: int) -> None:
    for x in (-46, 46):
        c.ring(x, 34, 34, 7.5, _TYRE, METAL)
        c.ring(x, 34, 27, 2.5, (206, 208, 212), METAL)
        for dx, dy in ((26, 0), (13, 22.5), (-13, 22.5)):
            c.line(((x - dx, 34 - dy), (x + dx, 34 + dy)), 1.0, (176, 178, 184))
        c.oval(x, 34, 5, 5, (120, 120, 126), METAL)
        c.arc(x, 34, 38, 38, (190, 330) if x < 0 else (215, 350), 7, rgb, METAL)
    c.limb("-46,34 -3,31 -17,78 -46,34", 7.5, rgb, METAL)
    c.limb("-3,31 30,72 -14,72", 8.5, rgb)
    c.limb("46,34 28,82", 8.5, rgb)
    c.line("-17,78 -20,90", 5, (120, 120, 126), METAL)
    c.blob("-38,92 -20,97 -4,93 -10,88 -30,87", (74, 54, 46), CLOTH)
    c.limb("28,82 25,96 40,99 46,92", 5, (96, 96, 104), METAL)
    c.limb("40,99 46,92", 7, (74, 54, 46), CLOTH)
    c.oval(-3, 31, 10, 10, (150, 152, 158), METAL)
    c.line("-3,31 8,18", 4.5, (80, 80, 88), METAL)
    c.line("2,16 16,18", 6, (60, 58, 64))
    if variant % 3 == 0:
        c.poly("40,90 70,90 65,66 45,66", (186, 140, 88), WOOD)
        for y in (72, 78, 84):
            c.line(((43, y), (68, y)), 1.6, (140, 98, 56))


def _boat(c: SpriteCanvas, rgb: RGB, variant: int) -> None:
    if variant % 2:
        c.box(-36, 30, 30, 66, 4, (248, 244, 234), WOOD)
        for x in (-27, -5):
            c.box(x, 42, x + 15, 57, 3, (120, 172, 204), GLASS)
        c.box(-42, 64, 36, 71, 3, darker(rgb, 0.2), METAL)
        c.box(-24, 70, -4, 99, 2, rgb, METAL)
        c.box(-24, 86, -4, 92, 0, lighter(rgb, 0.6), METAL)
        c.line("48,34 48,84", 3, _MAST, WOOD)
        c.poly("48,84 48,70 68,77", rgb, CLOTH)
    else:
        c.limb("2,24 2,99", 4.5, _MAST, WOOD)
        sail = "7,96 9,40 40,38 66,42 46,62 24,82"
        jib = "-3,90 -4,42 -28,41 -50,44 -34,60 -16,78"
        c.blob(sail, lighter(rgb, 0.12), CLOTH, pattern=True)
        c.blob(jib, lighter(rgb, 0.6), CLOTH)
    hull = "-82,34 -74,18 -62,4 -52,0 50,0 64,6 78,20 90,38 40,33 -40,32"
    c.poly(hull, rgb, WOOD, pattern=bool(variant % 2))
    rail = "-82,36 -40,33 40,34 91,40 88,33 40,27 -40,26 -79,28"
    c.poly(rail, lighter(rgb, 0.5), WOOD)
    c.line("-70,14 74,16", 2, darker(rgb, 0.3), SAME)
    if variant % 2:
        for x in (-44, -20, 4, 28):
            c.oval(x, 18, 5, 5, (206, 228, 236), METAL)


VEHICLES: dict[str, Shape] = {
    "car": Shape(_car, extent=(116, 118, 104, 3), period=18),
    "bus": Shape(_bus, extent=(110, 112, 104, 3), period=22),
    "bicycle": Shape(_bicycle, extent=(84, 84, 104, 3), period=20),
    "boat": Shape(_boat, extent=(90, 94, 104, 3), period=17),
}
