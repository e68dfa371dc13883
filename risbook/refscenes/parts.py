"""Which part of a drawn thing lies where: heads, legs, wheels and sails, from the facts alone.

A kind is always drawn on the same plan: a dog's head is where a dog's head is, mirrored if it looks
to the left. So parts need no second painting: a pixel of a thing's mask is brought into the units
of the brush (100 units are the thing's height, (0, 0) is the foot point, x to the side that it
faces, y up) and looked up in a few boxes. Borders are straight where the drawing's are round, which
is far finer than the patches that the labels are for.

>>> part_at(SceneObject("dog", "brown", "plain", 50, 60, 90), x=85, y=50)
'animal head'
>>> part_at(SceneObject("dog", "brown", "plain", 50, 60, 90, facing="left"), x=35, y=50)
'animal head'
"""

from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from risbook.refscenes.scene_types import SceneObject

#: A box of the drawing, units: left, low, right, high.
Box = tuple[float, float, float, float]
#: What a thing is made of: boxes in the order in which they are tried; the last takes all the rest.
Plan = tuple[tuple[str, Box], ...]

_ALL: Box = (-1000.0, -1000.0, 1000.0, 1000.0)


def _below(y: float) -> Box:
    return (-1000.0, -1000.0, 1000.0, y)


def _above(y: float) -> Box:
    return (-1000.0, y, 1000.0, 1000.0)


def _person(legs: float, head: float) -> Plan:
    return (
        ("person legs", _below(legs)),
        ("person head", (-25.0, head, 22.0, 106.0)),
        ("person body", _ALL),
    )


def _animal(legs: float, *head: Box) -> Plan:
    heads = tuple(("animal head", box) for box in head)
    return (*heads, ("animal legs", _below(legs)), ("animal body", _ALL))


#: kind -> the parts that it is made of; where the boxes come from: the strokes that draw the kind.
PLAN_OF = MappingProxyType(
    {
        "man": _person(43, 77),
        "woman": _person(52, 77),
        "child": _person(30, 60),
        "dog": _animal(36, (28, 68, 100, 120), (46, 58, 100, 120)),
        "cat": _animal(12, (-20, 57, 50, 120)),
        "sheep": _animal(36, (36, 54, 80, 120)),
        "bird": _animal(20, (8, 74, 70, 120)),
        "horse": _animal(42, (36, 84, 90, 120), (50, 60, 90, 120)),
        "car": (
            ("vehicle wheel", (-90, -10, -38, 42)),
            ("vehicle wheel", (38, -10, 90, 42)),
            ("vehicle window", _above(58)),
            ("vehicle body", _ALL),
        ),
        "bus": (
            ("vehicle wheel", (-80, -10, -40, 35)),
            ("vehicle wheel", (26, -10, 66, 35)),
            ("vehicle window", (-98, 56, 110, 87)),
            ("vehicle body", _ALL),
        ),
        "bicycle": (
            ("vehicle wheel", (-90, -10, -18, 69)),
            ("vehicle wheel", (26, -10, 90, 69)),
            ("bicycle frame", _ALL),
        ),
        "boat": (("boat hull", _below(36)), ("boat sail or cabin", _ALL)),
        "chair": (
            ("chair legs", _below(29)),
            ("chair seat", (-40, 29, 60, 55)),
            ("chair back", _ALL),
        ),
        "lamp": (("lamp foot", _below(55)), ("lamp shade", _ALL)),
        "umbrella": (("umbrella handle", _below(55)), ("umbrella roof", _ALL)),
        "mug": (("mug", _ALL),),
        "vase": (("vase", _ALL),),
        "suitcase": (("suitcase", _ALL),),
        "ball": (("ball", _ALL),),
    }
)

#: What a person lifts stands beside and above the head; what is carried hangs beside the legs.
_LIFTED: Plan = (("held thing", _above(106)), ("held thing", (22, 74, 1000, 1000)))
_CARRIED = MappingProxyType(
    {
        "man": ("held thing", (8.0, 19.0, 40.0, 45.0)),
        "woman": ("held thing", (4.5, 20.0, 40.0, 46.0)),
        "child": ("held thing", (6.5, 1.0, 40.0, 28.0)),
    }
)

#: Names of all parts, in the order of the kinds; a background is no part.
PARTS: tuple[str, ...] = tuple(
    dict.fromkeys(
        [*(name for plan in PLAN_OF.values() for name, _ in plan[::-1]), "held thing"],
    )
)


def plan_of(thing: SceneObject) -> Plan:
    """The boxes of a thing, in the order in which they are tried."""
    held: Plan = ()
    if thing.holding == "bag":
        held = (_CARRIED[thing.kind],)
    elif thing.holding:
        held = _LIFTED
    return (*held, *PLAN_OF[thing.kind])


def part_labels(thing: SceneObject, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Tell the part of every pixel of a thing.

    Args:
        thing: the facts.
        mask: bool (H, W), the thing's pixels in the picture.

    Returns:
        int64 (P,), an index of `PARTS` for each of the P pixels in the order of ``mask.nonzero()``.
    """
    rows, columns = mask.nonzero()
    unit = thing.height / 100
    side = -1 if thing.facing == "left" else 1
    # Pixel (row, column) is a square; its centre lies half a pixel further.
    x = side * (columns + 0.5 - round(thing.x)) / unit
    y = (round(thing.ground) - rows - 0.5) / unit
    found = np.full(len(rows), -1, np.int64)
    for name, (left, low, right, high) in plan_of(thing):
        inside = (found < 0) & (left <= x) & (x < right) & (low <= y) & (y < high)
        found[inside] = PARTS.index(name)
    return found


def part_at(thing: SceneObject, *, x: int, y: int) -> str:
    """The part of a thing that would lie at pixel (x, y), whether something is drawn there or not.

    Args:
        thing: the facts.
        x: column, pixels.
        y: row, pixels.

    Returns:
        A name of `PARTS`.
    """
    mask = np.zeros((y + 1, x + 1), np.bool_)
    mask[y, x] = True
    return PARTS[int(part_labels(thing, mask)[0])]


def object_from_record(record: dict[str, Any]) -> SceneObject:
    """Make a thing of what ``scenes.json`` tells of it.

    Args:
        record: an entry of ``things``.

    Returns:
        The facts; what the file leaves out is "".
    """
    fields = SceneObject.__dataclass_fields__
    facts = {name: value for name, value in record.items() if name in fields}
    return SceneObject(**{"lower_colour": "", "facing": "right", **facts})
