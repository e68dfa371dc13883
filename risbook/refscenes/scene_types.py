"""What is true of a drawn scene: the facts that the painter paints and the grammar speaks of.

The renderer reads a `SceneObject` and draws it; the expression generator reads the same
`SceneObject` and the visible box that the renderer returned. Neither reads the other's work, so an
expression can only be true of an image through the facts in this file.

Units: pixels of the finished canvas; x grows to the right, y grows downwards, as in images.
"""

from dataclasses import dataclass

#: Kinds of thing by group; `people` are what testA asks for, all others what testB asks for.
CATEGORIES: dict[str, tuple[str, ...]] = {
    "people": ("man", "woman", "child"),
    "animals": ("dog", "cat", "sheep", "bird", "horse"),
    "vehicles": ("car", "bus", "bicycle", "boat"),
    "household": ("chair", "lamp", "mug", "vase", "suitcase", "ball", "umbrella"),
}

#: kind -> group, the inverse of `CATEGORIES`.
SUPERCATEGORY_OF: dict[str, str] = {
    kind: group for group, kinds in CATEGORIES.items() for kind in kinds
}

#: Colour words. Every kind uses a subset that suits it (see the painter's recipes).
COLOURS: tuple[str, ...] = (
    "red", "orange", "yellow", "green", "blue", "purple", "pink",
    "brown", "black", "white", "gray",
)  # fmt: skip

#: kind -> the colours that it comes in.
COLOURS_OF: dict[str, tuple[str, ...]] = {
    "man": COLOURS,
    "woman": COLOURS,
    "child": COLOURS,
    "dog": ("brown", "black", "white", "gray", "orange"),
    "cat": ("orange", "black", "white", "gray", "brown"),
    "sheep": ("white", "black", "gray", "brown"),
    "bird": ("red", "orange", "yellow", "green", "blue", "purple", "pink", "black", "white"),
    "horse": ("brown", "black", "white", "gray"),
    "car": ("red", "orange", "yellow", "green", "blue", "purple", "black", "white", "gray"),
    "bus": ("red", "orange", "yellow", "green", "blue", "purple", "white"),
    "bicycle": ("red", "orange", "yellow", "green", "blue", "purple", "pink", "black", "white"),
    "boat": ("red", "orange", "yellow", "green", "blue", "purple", "brown", "white"),
    "chair": ("red", "orange", "yellow", "green", "blue", "purple", "brown", "black", "white"),
    "lamp": ("red", "orange", "yellow", "green", "blue", "purple", "pink", "black", "white"),
    "mug": COLOURS,
    "vase": COLOURS,
    "suitcase": COLOURS,
    "ball": ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white"),
    "umbrella": ("red", "orange", "yellow", "green", "blue", "purple", "pink", "black", "white"),
}

PATTERNS: tuple[str, ...] = ("plain", "striped", "spotted")
#: kind -> the patterns that it comes in.
PATTERNS_OF: dict[str, tuple[str, ...]] = {
    "man": PATTERNS,
    "woman": PATTERNS,
    "child": PATTERNS,
    "dog": ("plain", "spotted"),
    "cat": ("plain", "striped"),
    "sheep": ("plain",),
    "bird": ("plain", "spotted"),
    "horse": ("plain", "spotted"),
    "car": ("plain", "striped"),
    "bus": ("plain", "striped"),
    "bicycle": ("plain",),
    "boat": ("plain", "striped"),
    "chair": ("plain", "striped"),
    "lamp": ("plain", "striped", "spotted"),
    "mug": PATTERNS,
    "vase": PATTERNS,
    "suitcase": ("plain", "striped"),
    "ball": PATTERNS,
    "umbrella": PATTERNS,
}
HATS: tuple[str, ...] = ("", "cap", "hat", "beanie")
HELD: tuple[str, ...] = ("", "balloon", "umbrella", "bag", "flag")


@dataclass(frozen=True, slots=True)
class SceneObject:
    """One object of a scene.

    Args:
        kind: a word of `CATEGORIES`.
        colour: main colour: shirt of a person, coat of an animal, body of anything else.
        pattern: pattern of that main surface.
        height: drawn height in pixels, before anything hides a part of it; without hat and
            without what is held.
        x: centre of the foot point, pixels.
        ground: y of the foot point, pixels; larger stands nearer to the viewer.
        facing: the side it looks to.
        lower_colour: people only, the colour of trousers (man), skirt (woman) or shorts (child).
        hat: people only, one of `HATS`.
        hat_colour: people only, "" without a hat.
        holding: people only, one of `HELD`.
        holding_colour: people only, "" with empty hands.
        variant: chooses details that no expression speaks of (skin, hair, pose, shape).
    """

    kind: str
    colour: str
    pattern: str
    height: float
    x: float
    ground: float
    facing: str = "right"
    lower_colour: str = ""
    hat: str = ""
    hat_colour: str = ""
    holding: str = ""
    holding_colour: str = ""
    variant: int = 0

    @property
    def group(self) -> str:
        """The group of `CATEGORIES` that the kind belongs to."""
        return SUPERCATEGORY_OF[self.kind]


@dataclass(frozen=True, slots=True)
class Scene:
    """A whole scene as facts, painted or not.

    Args:
        width: canvas width in pixels.
        height: canvas height in pixels.
        place: the background, for instance "meadow", "beach", "street", "room".
        time: the light, for instance "day", "evening", "night"; "" indoors.
        things: the objects, farthest first: the order of painting.
        horizon: y at which the ground (or water, or floor) begins; 0 stands for 0.4 heights.
    """

    width: int
    height: int
    place: str
    time: str
    things: tuple[SceneObject, ...]
    horizon: int = 0


@dataclass(frozen=True, slots=True)
class VisibleObject:
    """A thing as it can be seen in the finished picture.

    Args:
        thing: the facts.
        box: visible box, (left, top, right, bottom) in pixels, right and bottom exclusive.
        area: number of visible pixels.
        visible: visible share of the drawn pixels that lie on the canvas, in (0, 1].
    """

    thing: SceneObject
    box: tuple[int, int, int, int]
    area: int
    visible: float

    @property
    def centre(self) -> tuple[float, float]:
        """Centre (x, y) of the visible box, pixels."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2
