"""The backgrounds: where objects may stand, the colours, and the light."""

from dataclasses import dataclass

from risbook.refscenes.colours import RGB


@dataclass(frozen=True, slots=True)
class Background:
    """The geometry of a background, in shares of the image height, and its ground.

    Args:
        horizon: lowest and highest share at which the ground begins.
        ground: colours of the ground, far and near.
        texture: strength of the ground's texture.
        water: lower end of the water as a share of the ground; 0 without water.
        indoors: True where no daylight falls.
        close: True for a close view of a table, where small objects are large.
    """

    horizon: tuple[float, float]
    ground: tuple[RGB, RGB]
    texture: float
    water: float = 0.0
    indoors: bool = False
    close: bool = False


BACKGROUNDS: dict[str, Background] = {
    "meadow": Background((0.34, 0.44), ((196, 214, 138), (148, 184, 98)), 0.085),
    "park": Background((0.36, 0.46), ((186, 210, 140), (142, 182, 104)), 0.075),
    "street": Background((0.40, 0.48), ((190, 188, 186), (160, 158, 160)), 0.04),
    "beach": Background((0.28, 0.34), ((244, 226, 184), (230, 204, 152)), 0.045, water=0.34),
    "snow": Background((0.34, 0.44), ((232, 240, 248), (214, 226, 240)), 0.022),
    "harbour": Background((0.26, 0.32), ((206, 196, 180), (184, 172, 154)), 0.05, water=0.44),
    "room": Background((0.46, 0.54), ((206, 170, 126), (182, 140, 96)), 0.03, indoors=True),
    "table": Background(
        (0.40, 0.50), ((214, 180, 136), (196, 156, 110)), 0.03, indoors=True, close=True
    ),
}
TIMES: tuple[str, ...] = ("day", "evening", "night")

#: time -> factors of red, green, blue on objects
OBJECT_LIGHT: dict[str, tuple[float, float, float]] = {
    "": (1.0, 0.985, 0.95), "day": (1.0, 1.0, 1.0), "evening": (1.0, 0.93, 0.86),
    "night": (0.80, 0.83, 0.93),
}  # fmt: skip

#: the same for the ground and the distance
GROUND_LIGHT: dict[str, tuple[float, float, float]] = {
    "": (1.0, 1.0, 1.0), "day": (1.0, 1.0, 1.0), "evening": (0.95, 0.80, 0.76),
    "night": (0.42, 0.48, 0.66),
}  # fmt: skip
#: time -> sky colours, top and horizon
SKY: dict[str, tuple[RGB, RGB]] = {
    "day": ((132, 192, 232), (226, 241, 244)),
    "evening": ((128, 122, 178), (252, 200, 142)),
    "night": ((24, 30, 66), (84, 96, 142)),
}
#: Water colours, far and near.
WATER: tuple[RGB, RGB] = ((158, 208, 218), (92, 164, 190))
