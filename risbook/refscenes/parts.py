"""Object parts: heads, legs, wheels and sails, computed from the facts of an object alone.

All objects of a category are drawn with the same proportions, so parts need no second rendering: a
pixel of the mask is brought into the units of `SpriteCanvas` (100 units are the object's height,
(0, 0) is the foot point, x towards the side that it faces, y up) and looked up in a few boxes. The
borders of parts are straight where the drawing's are round, which is far finer than the image
patches that the labels are for.
"""

import numpy as np
import numpy.typing as npt

from risbook.refscenes.scene_types import SceneObject

#: A box, units: left, low, right, high.
Box = tuple[float, float, float, float]
#: (part, box) in the order in which they are tried; the last takes all the rest.
PartBoxes = tuple[tuple[str, Box], ...]

_ALL: Box = (-1000.0, -1000.0, 1000.0, 1000.0)


def _below(y: float) -> Box:
    return (-1000.0, -1000.0, 1000.0, y)


def _above(y: float) -> Box:
    return (-1000.0, y, 1000.0, 1000.0)


def _person(legs: float, head: float) -> PartBoxes:
    head_box = (-25.0, head, 22.0, 106.0)
    return (("person legs", _below(legs)), ("person head", head_box), ("person body", _ALL))


def _animal(legs: float, *head: Box) -> PartBoxes:
    heads = tuple(("animal head", box) for box in head)
    return (*heads, ("animal legs", _below(legs)), ("animal body", _ALL))


def _wheels(rear: Box, front: Box) -> PartBoxes:
    return (("vehicle wheel", rear), ("vehicle wheel", front))


#: category -> its part boxes; the numbers follow the shapes in animals.py, people.py and so on
PART_BOXES: dict[str, PartBoxes] = {
    "man": _person(43, 77),
    "woman": _person(52, 77),
    "child": _person(30, 60),
    "dog": _animal(36, (28, 68, 100, 120), (46, 58, 100, 120)),
    "cat": _animal(12, (-20, 57, 50, 120)),
    "sheep": _animal(36, (36, 54, 80, 120)),
    "bird": _animal(20, (8, 74, 70, 120)),
    "horse": _animal(42, (36, 84, 90, 120), (50, 60, 90, 120)),
    "car": (
        *_wheels((-90, -10, -38, 42), (38, -10, 90, 42)),
        ("vehicle window", _above(58)), ("vehicle body", _ALL),
    ),
    "bus": (
        *_wheels((-80, -10, -40, 35), (26, -10, 66, 35)),
        ("vehicle window", (-98, 56, 110, 87)), ("vehicle body", _ALL),
    ),
    "bicycle": (*_wheels((-90, -10, -18, 69), (26, -10, 90, 69)), ("bicycle frame", _ALL)),
    "boat": (("boat hull", _below(36)), ("boat sail or cabin", _ALL)),
    "chair": (
        ("chair legs", _below(29)), ("chair seat", (-40, 29, 60, 55)), ("chair back", _ALL),
    ),
    "lamp": (("lamp foot", _below(55)), ("lamp shade", _ALL)),
    "umbrella": (("umbrella handle", _below(55)), ("umbrella roof", _ALL)),
    **{whole: ((whole, _ALL),) for whole in ("mug", "vase", "suitcase", "ball")},
}  # fmt: skip

#: Balloons, umbrellas and flags are held beside and above the head, bags beside the legs.
_RAISED: PartBoxes = (("held thing", _above(106)), ("held thing", (22, 74, 1000, 1000)))
_BAG: dict[str, Box] = {
    "man": (8, 19, 40, 45), "woman": (4.5, 20, 40, 46), "child": (6.5, 1, 40, 28),
}  # fmt: skip

#: Names of all parts, in the order of the categories; the background is no part.
PARTS: tuple[str, ...] = tuple(
    dict.fromkeys(
        [*(name for boxes in PART_BOXES.values() for name, _ in boxes[::-1]), "held thing"]
    )
)


def part_labels(obj: SceneObject, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Label every pixel of an object with its part.

    Args:
        obj: the facts.
        mask: bool (H, W), the object's pixels in the image.

    Returns:
        int64 (P,), an index of `PARTS` for each of the P pixels in the order of ``mask.nonzero()``.

    >>> pixel = np.arange(51 * 90).reshape(51, 90) == 50 * 90 + 85
    >>> PARTS[part_labels(SceneObject("dog", "brown", "plain", 50, 60, 90), pixel)[0]]
    'animal head'
    """
    rows, columns = mask.nonzero()
    unit = obj.height / 100
    side = -1 if obj.facing == "left" else 1
    # Pixel (row, column) is a square; its centre lies half a pixel further.
    x = side * (columns + 0.5 - round(obj.x)) / unit
    y = (round(obj.ground) - rows - 0.5) / unit
    held: PartBoxes = ()
    if obj.holding:
        held = (("held thing", _BAG[obj.category]),) if obj.holding == "bag" else _RAISED
    labels = np.full(len(rows), -1, np.int64)
    for name, (left, low, right, high) in (*held, *PART_BOXES[obj.category]):
        inside = (labels < 0) & (left <= x) & (x < right) & (low <= y) & (y < high)
        labels[inside] = PARTS.index(name)
    return labels
