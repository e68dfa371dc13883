"""Sprites of dogs, cats, sheep, birds and horses; all face right."""

from risbook.refscenes.colours import RGB, darker, lighter
from risbook.refscenes.sprite_canvas import Shape, SpriteCanvas
from risbook.refscenes.textures import CLOTH, FUR, METAL, SAME, SKIN, WOOL

_DARK: RGB = (44, 36, 40)
_PINK: RGB = (236, 160, 160)


def _eye(c: SpriteCanvas, x: float, y: float, size: float, coat: RGB) -> None:
    if sum(coat) < 240:
        c.oval(x, y, size * 1.5, size * 1.5, (236, 230, 214))
    c.oval(x, y, size, size * 1.15, _DARK)
    c.oval(x - 0.3 * size, y + 0.4 * size, 0.35 * size, 0.35 * size, (255, 255, 255))


def _dog(c: SpriteCanvas, coat: RGB, variant: int) -> None:
    far = darker(coat, 0.22)
    pale = lighter(coat, 0.4)
    c.limb("-46,60 -58,70 -62,86", 9, coat, FUR)
    for x in (-32, 30):
        c.limb(((x, 40), (x + 2, 7)), 12, far, FUR)
    body = "-52,58 -42,68 -10,65 20,70 38,76 46,60 38,38 6,33 -30,37 -50,40"
    c.blob(body, coat, FUR, pattern=True)
    for x in (-42, 20):
        c.limb(((x, 46), (x - 1, 30), (x, 7)), 13, coat)
    c.blob("-52,58 -30,60 -28,42 -38,30 -50,36", coat)
    c.blob("24,68 32,86 52,82 46,58 36,54", coat)
    for x in (-42, 20):
        c.oval(x + 4, 5, 10, 6, pale, FUR)
    c.limb("28,70 40,61 47,61", 5, (72, 62, 66), METAL)
    c.oval(47, 82, 20, 17, coat, FUR)
    c.oval(64, 76, 14, 9.5, pale, FUR)
    c.oval(75, 80, 4.5, 4, _DARK, SKIN)
    c.arc(66, 75, 8, 5, (20, 120), 2, darker(coat, 0.5))
    _eye(c, 54, 86, 3.4, coat)
    if variant % 2:
        c.blob("30,94 40,97 43,82 40,62 30,60 25,76", far, FUR)
    else:
        c.poly("30,88 30,104 46,96", far, FUR)
        c.poly("44,96 52,104 57,92", far, FUR)


def _cat(c: SpriteCanvas, coat: RGB, variant: int) -> None:
    pale = lighter(coat, 0.45)
    tip = (-46, 52) if variant % 2 else (-54, 44)
    c.limb(((-20, 7), (-40, 8), (-51, 22), tip), 10, coat, FUR, pattern=True)
    body = "-26,4 -33,20 -24,44 -6,64 16,62 27,42 30,16 26,3 0,2"
    c.blob(body, coat, FUR, pattern=True)
    c.oval(13, 42, 11, 16, pale)
    c.oval(-14, 18, 19, 17, coat, FUR, pattern=True)
    c.oval(-6, 5, 14, 6, coat, FUR)
    for x in (8, 22):
        c.limb(((x, 38), (x + 1, 6)), 10, coat, FUR)
        c.oval(x + 3, 5, 8, 5.5, pale, FUR)
    c.poly("-13,80 -10,103 6,92", coat, FUR)
    c.poly("-9,84 -8,97 1,90", _PINK)
    c.poly("16,92 31,103 34,80", coat, FUR)
    c.poly("21,90 29,97 30,84", _PINK)
    head = "-15,76 -8,90 10,94 29,90 36,76 28,62 10,57 -8,62"
    c.blob(head, coat, FUR, pattern=True)
    c.oval(14, 67, 12, 8, pale, FUR)
    for x in (3, 23):
        c.oval(x, 78, 5, 5.5, (196, 214, 96), SKIN)
        c.oval(x + 0.8, 78, 2.2, 4.6, _DARK)
    c.poly("11,72 17,72 14,68", (214, 110, 116))
    for side in (-1, 1):
        c.line(((14 + side * 6, 67), (14 + side * 25, 70)), 0.9, (90, 80, 84))
        c.line(((14 + side * 6, 65), (14 + side * 24, 62)), 0.9, (90, 80, 84))


def _sheep(c: SpriteCanvas, coat: RGB, variant: int) -> None:
    dark_coat = sum(coat) < 300
    face = (216, 190, 160) if dark_coat else (74, 62, 62)
    for x in (-30, 24):
        c.limb(((x, 36), (x, 5)), 9, darker(face, 0.3), SKIN)
    for x in (-20, 34):
        c.limb(((x, 36), (x, 5)), 9.5, face, SKIN)
    curls = (
        (-46, 62), (-40, 78), (-20, 86), (2, 88), (22, 84), (36, 72), (38, 54), (26, 42), (4, 38),
        (-20, 38), (-42, 44),
    )  # fmt: skip
    c.oval(-4, 62, 42, 24, coat, WOOL)
    for x, y in curls:
        c.oval(x, y, 15, 14, coat)
    for x, y in ((-24, 70), (0, 76), (-10, 54), (16, 62)):
        c.arc(x, y, 9, 8, (200, 350), 2.5, darker(coat, 0.2))
    c.oval(-58, 62, 8, 9, coat, WOOL)
    c.limb("34,84 24,78", 9, face, SKIN)
    c.blob("36,88 50,92 62,80 66,64 58,56 46,62 38,74", face, SKIN)
    c.oval(60, 62, 2.4, 1.8, darker(face, 0.5))
    c.oval(51, 79, 4, 4.2, (244, 240, 230))
    c.oval(52, 79, 2.2, 2.6, _DARK)
    for x, y in ((36, 90), (46, 95), (54, 90)):
        c.oval(x, y, 9, 8, coat, WOOL if x == 36 else SAME)
    if variant % 3 == 0:
        c.limb("37,66 44,60", 5, (120, 90, 60), METAL)


def _bird(c: SpriteCanvas, coat: RGB, variant: int) -> None:
    bill = (236, 150, 40) if coat[2] > 90 or coat[1] > 180 or coat[0] < 120 else (250, 200, 70)
    for x in (-4, 10):
        c.line(((x, 24), (x + 2, 3), (x + 12, 2)), 4.5, darker(bill, 0.15), METAL)
        c.line(((x + 2, 4), (x - 6, 1)), 4.0, darker(bill, 0.15))
    c.poly("-26,52 -70,70 -72,58 -62,46 -22,36", darker(coat, 0.22), FUR)
    c.line("-30,48 -66,59", 2.5, darker(coat, 0.45))
    body = "-34,46 -20,64 4,76 10,94 26,102 42,94 46,78 40,56 32,36 10,20 -14,24"
    c.blob(body, coat, FUR, pattern=True)
    c.blob("24,62 38,58 32,38 12,24 4,32 14,46", lighter(coat, 0.5))
    c.poly("44,88 64,78 43,73", bill, METAL)
    c.line("44,80 62,78", 1.8, darker(bill, 0.35))
    _eye(c, 33, 86, 4.4, coat)
    wing = "8,66 16,50 2,36 -26,34 -46,42 -30,54 -14,66"
    c.blob(wing, darker(coat, 0.14), FUR, pattern=True)
    for k in range(3):
        c.line(((-34 + 9 * k, 41 - 1.5 * k), (-12 + 8 * k, 50 - 2 * k)), 2.2, darker(coat, 0.36))
    if variant % 2:
        c.poly("22,98 14,110 28,103", coat, FUR)
        c.poly("26,98 24,112 34,102", coat, SAME)


def _horse(c: SpriteCanvas, coat: RGB, variant: int) -> None:
    far = darker(coat, 0.2)
    mane = lighter(coat, 0.6) if variant % 3 == 1 and sum(coat) < 420 else darker(coat, 0.55)
    if sum(coat) < 200:
        mane = (96, 92, 100)
    c.blob("-46,68 -60,66 -68,48 -66,24 -58,16 -56,36 -48,56", mane, FUR)
    for x, knee in ((-34, -30), (26, 33)):
        c.limb(((x, 46), (knee, 25), (knee - 1, 6)), 8, far, FUR)
        c.box(knee - 6, 0, knee + 5, 7, 1.5, _DARK, METAL)
    body = "-50,60 -44,71 -26,71 0,66 20,70 36,74 42,58 34,44 6,40 -24,42 -46,46"
    c.blob(body, coat, FUR, pattern=True)
    for x, knee in ((-42, -41), (30, 25)):
        c.limb(((x, 52), (x + 1, 40)), 14, coat)
        c.limb(((x, 46), (knee, 24), (knee, 6)), 9.5, coat)
    c.blob("18,66 24,84 36,98 48,98 52,86 46,72 42,56 28,54", coat)
    for knee in (-41, 25):
        c.box(knee - 6, 0, knee + 7, 7.5, 1.5, _DARK, METAL)
    c.poly("38,95 39,107 47,98", coat, FUR)
    head = "36,96 48,101 58,92 72,76 74,67 66,63 56,71 44,78"
    c.blob(head, coat, FUR)
    c.blob("72,77 76,70 70,62 63,65 65,73", lighter(coat, 0.3), SKIN)
    c.oval(71, 70, 1.8, 2, _DARK)
    c.line("62,65 70,64", 1.2, darker(coat, 0.5))
    _eye(c, 53, 90, 2.8, coat)
    crest = "40,103 48,101 44,94 34,84 26,66 15,67 18,82 28,97"
    c.blob(crest, mane, CLOTH)


ANIMALS: dict[str, Shape] = {
    "dog": Shape(_dog, extent=(72, 80, 104, 3), period=26),
    "cat": Shape(_cat, extent=(60, 44, 106, 3), period=19),
    "sheep": Shape(_sheep, extent=(66, 70, 104, 3), period=20),
    "bird": Shape(_bird, extent=(74, 64, 104, 4), period=20),
    "horse": Shape(_horse, extent=(74, 80, 108, 3), period=20),
}
