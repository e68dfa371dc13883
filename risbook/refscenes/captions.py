"""Captions: a whole scene in sentences, with its background, its light and every object.

Captions are the texts of vision-language pre-training, before referring segmentation: they name all
objects, their colours and locations, but refer to none in particular.
"""

import random

from risbook.refscenes.annotation_styles import choose
from risbook.refscenes.descriptions import LOWER_GARMENT
from risbook.refscenes.phrase_builder import with_article
from risbook.refscenes.scene_types import Scene, SceneObject, VisibleObject

_BACKGROUND_PHRASES = {
    "meadow": ("on a meadow", "on a green meadow"),
    "park": ("in a park", "in the park"),
    "street": ("on a street", "in a street"),
    "beach": ("on a beach", "at the beach"),
    "snow": ("in the snow", "in a snowy landscape"),
    "harbour": ("at a harbour", "in a harbour"),
    "room": ("in a room", "inside a room"),
    "table": ("on a table", "on a table top"),
}
_TIME_PHRASES = {
    "": ("",),
    "day": ("by day", "during the day"),
    "evening": ("in the evening", "at dusk"),
    "night": ("at night", "by night"),
}


def appearance(obj: SceneObject) -> str:
    """Everything visible of the object itself, without an article.

    >>> appearance(SceneObject("mug", "red", "striped", 30, 50, 60))
    'red striped mug'
    """
    pattern = "" if obj.pattern == "plain" else f"{obj.pattern} "
    if obj.supercategory != "people":
        return f"{obj.colour} {pattern}{obj.category}"
    shirt = with_article("a", f"{obj.colour} {pattern}shirt")
    lower = f"{obj.lower_colour} {LOWER_GARMENT[obj.category]}"
    if obj.category == "woman":
        lower = with_article("a", lower)
    words = f"{obj.category} in {shirt} and {lower}"
    if obj.hat:
        words += " with " + with_article("a", f"{obj.hat_colour} {obj.hat}")
    if obj.holding:
        words += " holding " + with_article("a", f"{obj.holding_colour} {obj.holding}")
    return words


def location(visible: VisibleObject, scene: Scene) -> tuple[str, str]:
    """Where an object stands: left, middle or right; and front, back or neither ("").

    Left, middle and right are thirds of the image, by the centre of the visible box. Front and back
    are the lower and the upper fifth of the ground between the farthest and the nearest foot point
    of the scene.
    """
    x = visible.centre[0] / scene.width
    column = "left" if x < 1 / 3 else "right" if x > 2 / 3 else "middle"
    grounds = [obj.ground for obj in scene.objects]
    far, near = min(grounds), max(grounds)
    if near - far < 0.1 * scene.height:
        return column, ""
    share = (visible.obj.ground - far) / (near - far)
    return column, "front" if share > 0.8 else "back" if share < 0.2 else ""


def caption(
    scene: Scene, visible_objects: tuple[VisibleObject, ...], rng: random.Random | None = None
) -> str:
    """Write the caption of a rendered scene: sentences with capitals and full stops.

    Args:
        scene: the scene as rendered.
        visible_objects: its visible objects.
        rng: chooses wordings and the order of the objects; None for a fixed choice.
    """
    rng = rng or random.Random(0)
    background = choose(rng, _BACKGROUND_PHRASES[scene.background])
    time = choose(rng, _TIME_PHRASES[scene.time])
    opening = choose(rng, ("A scene", "A picture taken", "This is a scene", "A view"))
    sentences = [f"{opening} {background} {time}".strip()]
    ordered = sorted(visible_objects, key=lambda visible: visible.centre[0])
    if rng.random() < 0.4:
        ordered.reverse()
    elif rng.random() < 0.3:
        ordered.sort(key=lambda visible: -visible.obj.ground)
    for visible in ordered:
        column, depth = location(visible, scene)
        phrase = f"in the {column}" if column == "middle" else f"on the {column}"
        if depth:
            phrase += f" in the {depth}"
        noun_phrase = with_article("a", appearance(visible.obj))
        if rng.random() < 0.6:
            sentences.append(f"{phrase} there is {noun_phrase}")
        else:
            verb = "stands" if visible.obj.supercategory in ("people", "animals") else "is"
            sentences.append(f"{noun_phrase} {verb} {phrase}")
    return " ".join(text[0].upper() + text[1:] + "." for text in sentences)
