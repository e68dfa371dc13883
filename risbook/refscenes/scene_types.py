"""The facts of a scene: what the renderer draws and the expression generator describes.

The renderer reads a `SceneObject` and draws it; the expression generator reads the same
`SceneObject` and the visible box that the renderer returned. Neither reads the other's work, so an
expression can only be true of an image through the facts in this file.

Units: pixels of the finished image; x grows to the right, y grows downwards.
"""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

#: supercategory -> categories, the terms of COCO. testA refers to people, testB to all others.
CATEGORIES: dict[str, tuple[str, ...]] = {
    "people": ("man", "woman", "child"),
    "animals": ("dog", "cat", "sheep", "bird", "horse"),
    "vehicles": ("car", "bus", "bicycle", "boat"),
    "household": ("chair", "lamp", "mug", "vase", "suitcase", "ball", "umbrella"),
}

#: category -> supercategory
SUPERCATEGORY_OF: dict[str, str] = {
    category: supercategory
    for supercategory, categories in CATEGORIES.items()
    for category in categories
}

#: Colour words; `colours.RGB_OF` gives the colours themselves.
COLOURS: tuple[str, ...] = (
    "red", "orange", "yellow", "green", "blue", "purple", "pink",
    "brown", "black", "white", "gray",
)  # fmt: skip

_BRIGHT = COLOURS[:6]
#: category -> its colours
COLOURS_OF: dict[str, tuple[str, ...]] = dict.fromkeys(SUPERCATEGORY_OF, COLOURS) | {
    "dog": ("brown", "black", "white", "gray", "orange"),
    "cat": ("orange", "black", "white", "gray", "brown"),
    "sheep": ("white", "black", "gray", "brown"),
    "bird": (*_BRIGHT, "pink", "black", "white"),
    "horse": ("brown", "black", "white", "gray"),
    "car": (*_BRIGHT, "black", "white", "gray"),
    "bus": (*_BRIGHT, "white"),
    "bicycle": (*_BRIGHT, "pink", "black", "white"),
    "boat": (*_BRIGHT, "brown", "white"),
    "chair": (*_BRIGHT, "brown", "black", "white"),
    "lamp": (*_BRIGHT, "pink", "black", "white"),
    "ball": (*_BRIGHT, "pink", "white"),
    "umbrella": (*_BRIGHT, "pink", "black", "white"),
}

PATTERNS: tuple[str, ...] = ("plain", "striped", "spotted")
#: category -> its patterns
PATTERNS_OF: dict[str, tuple[str, ...]] = (
    dict.fromkeys(SUPERCATEGORY_OF, PATTERNS)
    | dict.fromkeys(("sheep", "bicycle"), ("plain",))
    | dict.fromkeys(("dog", "bird", "horse"), ("plain", "spotted"))
    | dict.fromkeys(("cat", "car", "bus", "boat", "chair", "suitcase"), ("plain", "striped"))
)
HATS: tuple[str, ...] = ("", "cap", "hat", "beanie")
HELD_OBJECTS: tuple[str, ...] = ("", "balloon", "umbrella", "bag", "flag")

#: Fields of `SceneObject` with another key in ``scenes.json``: that file's keys never change.
_KEYS = {"category": "kind"}


@dataclass(frozen=True, slots=True)
class SceneObject:
    """One object of a scene.

    Args:
        category: a word of `CATEGORIES`.
        colour: main colour: shirt of a person, coat of an animal, body of anything else.
        pattern: pattern of that main surface.
        height: height in pixels before occlusion, without hat and held object.
        x: centre of the foot point, pixels.
        ground: y of the foot point, pixels; larger is nearer to the viewer.
        facing: "left" or "right".
        lower_colour: people only, the colour of trousers (man), skirt (woman) or shorts (child).
        hat: people only, one of `HATS`.
        hat_colour: people only, "" without a hat.
        holding: people only, one of `HELD_OBJECTS`.
        holding_colour: people only, "" with empty hands.
        variant: chooses details that no expression mentions (skin, hair, pose, shape).
    """

    category: str
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
    def supercategory(self) -> str:
        """The key of `CATEGORIES` that the category belongs to."""
        return SUPERCATEGORY_OF[self.category]

    def to_record(self) -> dict[str, Any]:
        """The fields that are not "", under the keys of ``scenes.json``."""
        values = {name: value for name, value in asdict(self).items() if value != ""}
        return {_KEYS.get(name, name): value for name, value in values.items()}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "SceneObject":
        """Read an entry of ``things`` in ``scenes.json``; what it leaves out is ""."""
        keys = {field.name: _KEYS.get(field.name, field.name) for field in fields(cls)}
        return cls(**{name: record[key] for name, key in keys.items() if key in record})


@dataclass(frozen=True, slots=True)
class Scene:
    """The facts of a whole scene, before or after rendering.

    Args:
        width: of the image, pixels.
        height: of the image, pixels.
        background: a key of `background_types.BACKGROUNDS`, for instance "meadow".
        time: the light, "day", "evening" or "night"; "" indoors.
        objects: farthest first, the order of rendering.
        horizon: y at which the ground (or water, or floor) begins; 0 stands for 0.4 heights.
    """

    width: int
    height: int
    background: str
    time: str
    objects: tuple[SceneObject, ...]
    horizon: int = 0

    def scaled(self, scale: int) -> "Scene":
        """The same scene in an image of `scale` times the size.

        Foot points are rounded first: at scale 1 an object stands on whole pixels.
        """
        objects = [
            replace(
                obj,
                height=scale * obj.height,
                x=scale * round(obj.x),
                ground=scale * round(obj.ground),
            )
            for obj in self.objects
        ]
        return replace(
            self,
            width=scale * self.width,
            height=scale * self.height,
            horizon=scale * self.horizon,
            objects=tuple(objects),
        )


@dataclass(frozen=True, slots=True)
class VisibleObject:
    """What occlusion and the image border leave of an object.

    Args:
        obj: its facts.
        box: visible box, (left, top, right, bottom) in pixels, right and bottom exclusive.
        area: number of visible pixels.
        visible_fraction: visible share of the drawn pixels that lie in the image, in (0, 1].
    """

    obj: SceneObject
    box: tuple[int, int, int, int]
    area: int
    visible_fraction: float

    @property
    def centre(self) -> tuple[float, float]:
        """Centre (x, y) of the visible box, pixels."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2
