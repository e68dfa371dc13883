"""Sprites of men, women and children; all face right."""

from risbook.refscenes.accessories import draw_bag, draw_hat, draw_raised
from risbook.refscenes.colours import RGB, RGB_OF, darker, mix
from risbook.refscenes.scene_types import SceneObject
from risbook.refscenes.sprite_canvas import Extent, Point, SpriteCanvas, around, parse_points
from risbook.refscenes.textures import CLOTH, METAL, SAME, SKIN

_SKINS: tuple[RGB, ...] = (
    (250, 214, 184), (238, 190, 152), (216, 162, 120), (188, 130, 90), (148, 100, 70),
    (116, 78, 56),
)  # fmt: skip
_GREY: RGB = (176, 172, 168)
_HAIRS: tuple[RGB, ...] = (
    (58, 40, 34), (96, 62, 38), (150, 96, 50), (222, 180, 96), (176, 84, 44), (40, 38, 44),
    _GREY,
)  # fmt: skip
_SHOES: tuple[RGB, ...] = ((70, 50, 44), (56, 56, 64), (120, 76, 48))

#: Period of the shirt's pattern, units.
PERIOD = 8.5


#: held object -> extent to the right and up, units
_REACH = {
    "": (27.0, 106.0), "bag": (36.0, 106.0), "balloon": (48.0, 150.0), "umbrella": (62.0, 138.0),
    "flag": (66.0, 130.0),
}  # fmt: skip


def extent(obj: SceneObject) -> Extent:
    """Extent of a person with hat and held object."""
    right, up = _REACH[obj.holding]
    return 27.0, right, max(up, 114.0) if obj.hat else up, 4.0


def draw_person(c: SpriteCanvas, obj: SceneObject) -> None:
    """Draw a man, woman or child."""
    shirt, lower = RGB_OF[obj.colour], RGB_OF[obj.lower_colour or "blue"]
    skin = _SKINS[obj.variant % len(_SKINS)]
    hair = _HAIRS[obj.variant // 6 % len(_HAIRS)]
    if (skin[0] < 180 and hair[0] > 130) or (obj.category == "child" and hair == _GREY):
        hair = _HAIRS[0]
    _legs(c, obj, lower, skin)
    if obj.category == "man":
        _sleeve(c, "-13.5,70 -18.5,57 -16,46", 8.5, shirt, skin)
        c.box(-4, 72, 5, 82, 2, darker(skin, 0.12), SKIN)
        torso = "-11,77 0,78 11,77 16,70 13.5,56 13,43 0,41.5 -13,43 -13.5,56 -16,70"
        c.blob(torso, shirt, CLOTH, pattern=True)
        c.poly("-4,78.5 5,78.5 0.8,73", skin, SKIN)
        _head(c, obj, (1, 88.5), (10.5, 11.8), skin, hair)
        _front_arm(c, obj, (14, 70), 8.5, shirt, skin)
    elif obj.category == "woman":
        c.blob("-12,90 -8,100 4,101 12,94 11,80 13,69 6,64 -8,63 -15,67 -13,79", hair, CLOTH)
        _sleeve(c, "-9.5,71 -15,59 -14,48", 6.8, shirt, skin)
        c.blob("-8,55 0,56 8,55 13,38 18.5,21 9,18 0,19.5 -9,18 -18.5,21 -13,38", lower, CLOTH)
        c.line("-4,48 -7,22", 1.2, darker(lower, 0.22))
        c.line("4,48 6,22", 1.2, darker(lower, 0.22))
        c.box(-3.4, 72, 4.4, 82, 2, darker(skin, 0.12), SKIN)
        torso = "-8,77 0,77.5 8,77 12,71 9,61 8.5,51 0,50 -8.5,51 -9,61 -12,71"
        c.blob(torso, shirt, CLOTH, pattern=True)
        _head(c, obj, (1, 88.5), (10.2, 11.4), skin, hair)
        _front_arm(c, obj, (10, 71), 6.8, shirt, skin)
    else:
        if obj.variant // 11 % 2 == 0 and not obj.hat:
            for side in (-1, 1):
                c.oval(1 + side * 18, 74, 6.5, 8.5, hair, CLOTH)
        _sleeve(c, "-12,53 -19,44 -19,35", 9, shirt, skin)
        torso = "-9,60 0,61 9,60 14.5,53 14,42 14.5,31 0,29 -14.5,31 -14,42 -14.5,53"
        c.blob(torso, shirt, CLOTH, pattern=True)
        _head(c, obj, (1, 78.5), (17.5, 18.5), skin, hair)
        _front_arm(c, obj, (12, 53), 9, shirt, skin)


def _legs(c: SpriteCanvas, obj: SceneObject, lower: RGB, skin: RGB) -> None:
    """Legs and shoes, with trousers or shorts."""
    stride = (1.0, 3.5, 6.0)[obj.variant // 7 % 3]
    shoe = _SHOES[obj.variant // 5 % len(_SHOES)]
    for side, far in ((-1, 0.1), (1, 0.0)):
        leg, trouser = darker(skin, far), darker(lower, far)
        if obj.category == "man":
            foot = side * (6.5 + stride)
            c.oval(foot + 2.5, 3, 7, 3.6, shoe, METAL)
            c.limb(((side * 5.6, 42), (foot, 8)), 11.5, trouser, CLOTH)
        elif obj.category == "woman":
            foot = side * (4.5 + 0.6 * stride)
            c.limb(((side * 4, 26), (foot, 5)), 6.2, leg, SKIN)
            c.oval(foot + 2, 2.6, 5.8, 3.0, shoe, METAL)
        else:
            foot = side * (7.5 + stride)
            c.limb(((side * 6.5, 24), (foot, 7)), 8.5, leg, SKIN)
            c.oval(foot + 2.5, 4, 8, 4.6, shoe, METAL)
            c.limb(((side * 7, 28), (side * (7 + 0.6 * stride), 17)), 13, lower, CLOTH)
    if obj.category == "man":
        c.box(-12, 37, 12, 47, 3, lower, SAME)
    elif obj.category == "child":
        c.box(-13, 24, 13, 35, 4, lower, SAME)


def _sleeve(c: SpriteCanvas, points: str, width: float, shirt: RGB, skin: RGB) -> None:
    x, y = parse_points(points)[-1]
    c.oval(x, y - 2.5, width * 0.5, width * 0.52, skin, SKIN)
    c.limb(points, width, darker(shirt, 0.06), CLOTH, pattern=True)


def _head(
    c: SpriteCanvas, obj: SceneObject, centre: Point, size: Point, skin: RGB, hair: RGB
) -> None:
    x, y = centre
    rx, ry = size
    c.oval(x, y, rx, ry, skin, SKIN)
    c.oval(x + 0.62 * rx, y - 0.38 * ry, 0.26 * rx, 0.2 * ry, mix(skin, (232, 92, 92), 0.4))
    for eye in (0.12, 0.66):
        c.oval(x + eye * rx, y - 0.02 * ry, 0.12 * rx, 0.16 * ry, (40, 30, 34))
    c.arc(x + 0.4 * rx, y - 0.42 * ry, 0.26 * rx, 0.2 * ry, (15, 165), 0.12 * rx, (150, 60, 56))
    if obj.category == "man" and obj.variant // 13 % 3 == 0:
        beard = "-0.72,-0.3 0,-0.62 0.7,-0.6 0.85,-0.72 0.2,-1.16 -0.6,-0.9"
        c.blob(around(x, y, rx, ry, beard), hair, CLOTH)
    low = -0.75 if obj.category == "woman" else -0.05
    mop = f"-0.98,{low} -1.12,0.45 -0.5,1.05 0.45,1.06 1.08,0.55 0.9,0.3 0.2,0.56 -0.4,0.4 -0.6,0.1"
    c.blob(around(x, y, rx, ry, mop), hair, CLOTH)
    if obj.hat:
        draw_hat(c, obj.hat, RGB_OF[obj.hat_colour or "red"], x, y, rx, ry)


def _front_arm(
    c: SpriteCanvas, obj: SceneObject, shoulder: Point, width: float, shirt: RGB, skin: RGB
) -> None:
    x, y = shoulder
    rgb = RGB_OF[obj.holding_colour or "red"]
    if obj.holding in ("balloon", "umbrella", "flag"):
        hand = (x + 13, y - 5)
        draw_raised(c, obj.holding, rgb, hand)
        arm = ((x, y), (x + 6, y - 12), hand)
    elif obj.holding == "bag":
        hand = (x + 4.5, y - 26)
        draw_bag(c, rgb, hand)
        arm = ((x, y), (x + 5, y - 13), (hand[0], hand[1] + 2))
    else:
        swing = (0.5, 5.0)[obj.variant // 3 % 2]
        hand = (x + 3 + swing, y - (26 if obj.category != "child" else 20))
        arm = ((x, y), (x + 5, y - 12), hand)
    c.oval(hand[0], hand[1] - 0.3 * width, 0.5 * width, 0.5 * width, skin, SKIN)
    c.limb(arm, width, shirt, CLOTH, pattern=True)
    if obj.holding in ("balloon", "umbrella", "flag"):
        c.oval(hand[0], hand[1], 0.55 * width, 0.55 * width, skin, SKIN)
