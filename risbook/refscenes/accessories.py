"""Hats and held objects of people."""

from risbook.refscenes.colours import RGB, darker, lighter
from risbook.refscenes.sprite_canvas import Point, SpriteCanvas, around
from risbook.refscenes.textures import CLOTH, METAL, WOOD

_POLE: RGB = (112, 88, 70)


def draw_hat(c: SpriteCanvas, hat: str, rgb: RGB, x: float, y: float, rx: float, ry: float) -> None:
    """Draw a cap, beanie or hat on a head with centre (x, y) and half axes rx, ry, units."""
    dome = around(x, y, rx, ry, "-1.1,0.36 -0.98,0.95 0,1.3 0.98,0.95 1.1,0.36 0,0.44")
    if hat == "cap":
        c.blob(dome, rgb, CLOTH)
        visor = "0.3,0.52 1.2,0.56 1.95,0.3 1.1,0.28"
        c.blob(around(x, y, rx, ry, visor), darker(rgb, 0.16), CLOTH)
        c.oval(x, y + 1.28 * ry, 0.16 * rx, 0.1 * ry, darker(rgb, 0.2))
    elif hat == "beanie":
        c.oval(x, y + 1.42 * ry, 0.38 * rx, 0.34 * ry, lighter(rgb, 0.5), CLOTH)
        c.blob(dome, rgb, CLOTH)
        c.box(
            x - 1.14 * rx, y + 0.28 * ry, x + 1.14 * rx, y + 0.62 * ry, 2, darker(rgb, 0.18), CLOTH
        )
    else:
        c.box(x - 0.85 * rx, y + 0.5 * ry, x + 0.85 * rx, y + 1.42 * ry, 0.4 * rx, rgb, CLOTH)
        c.box(x - 0.87 * rx, y + 0.56 * ry, x + 0.87 * rx, y + 0.8 * ry, 0, darker(rgb, 0.4), CLOTH)
        c.oval(x, y + 0.5 * ry, 1.75 * rx, 0.26 * ry, rgb, CLOTH)


def draw_raised(c: SpriteCanvas, item: str, rgb: RGB, hand: Point) -> None:
    """Draw a balloon, umbrella or flag in a raised hand."""
    x, y = hand
    if item == "balloon":
        c.line(((x, y), (x + 2, y + 20), (x + 1, 110)), 1.4, (120, 110, 110), CLOTH)
        c.poly(((x - 2.5, 107), (x + 4.5, 107), (x + 1, 112)), darker(rgb, 0.2), METAL)
        c.oval(x + 1, 127, 14.5, 17, rgb, METAL)
        c.oval(x - 4, 133, 3.6, 5, lighter(rgb, 0.6))
    elif item == "umbrella":
        c.line(((x, y - 9), (x, 128)), 2.4, _POLE, WOOD)
        _canopy(c, x - 4, 104, 36, 28, rgb)
    else:
        c.line(((x - 1, y - 10), (x + 3, 124)), 2.8, _POLE, WOOD)
        flag = "3,123 14,126 24,121 34,123 33,112 33,102 23,100 13,104 2,101 2.5,112"
        c.blob(around(x, 0, 1, 1, flag), rgb, CLOTH)
        c.line(((x + 14, 123), (x + 14, 106)), 1.5, darker(rgb, 0.18))
        c.line(((x + 24, 119), (x + 24, 103)), 1.5, lighter(rgb, 0.3))


def _canopy(c: SpriteCanvas, x: float, y: float, rx: float, ry: float, rgb: RGB) -> None:
    """An open umbrella's roof with four panels; (x, y) is the middle of its lower side."""
    rim = (
        "-1,0 -0.93,0.36 -0.6,0.76 0,1 0.6,0.76 0.93,0.36 1,0 "
        "0.75,0.12 0.5,-0.04 0.25,0.1 0,-0.05 -0.25,0.1 -0.5,-0.04 -0.75,0.12"
    )
    c.blob(around(x, y, rx, ry, rim), rgb, CLOTH)
    for foot, bend, tone in ((-0.5, -0.32, 0.0), (0.5, 0.32, 0.28), (0.0, 0.0, 0.14)):
        points = ((x, y + ry), (x + bend * rx, y + 0.55 * ry), (x + foot * rx, y))
        c.line(points, 1.6, darker(rgb, 0.12 + tone))
    c.line(((x, y + 0.96 * ry), (x, y + 1.12 * ry)), 2.4, _POLE)


def draw_bag(c: SpriteCanvas, rgb: RGB, hand: Point) -> None:
    """Draw a bag in a lowered hand."""
    x, y = hand
    c.arc(x + 1, y - 6, 6, 8, (180, 360), 2.0, darker(rgb, 0.35), CLOTH)
    bag = "-8,-6 10,-6 12,-15 11,-24 -9,-24 -10,-15"
    c.blob(around(x, y, 1, 1, bag), rgb, CLOTH)
    c.line(((x - 8, y - 11), (x + 10, y - 11)), 1.6, darker(rgb, 0.25))
