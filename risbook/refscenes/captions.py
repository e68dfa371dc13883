"""A whole scene told in sentences: its place and light, and every thing in it.

Captions are what a network can be pre-trained on before it learns to point: they name all the
things, their colours and where they stand, without meaning one of them in particular.
"""

import random

from risbook.refscenes.phrase_builder import pick, with_article
from risbook.refscenes.scene_types import Scene, SceneObject, VisibleObject
from risbook.refscenes.semantics import LOWER

_WHERE = {
    "meadow": ("on a meadow", "on a green meadow"),
    "park": ("in a park", "in the park"),
    "street": ("on a street", "in a street"),
    "beach": ("on a beach", "at the beach"),
    "snow": ("in the snow", "in a snowy landscape"),
    "harbour": ("at a harbour", "in a harbour"),
    "room": ("in a room", "inside a room"),
    "table": ("on a table", "on a table top"),
}
_WHEN = {
    "day": ("by day", "during the day"),
    "evening": ("in the evening", "at dusk"),
    "night": ("at night", "by night"),
}


def appearance(thing: SceneObject) -> str:
    """Tell everything that can be seen of a thing itself, without an article.

    >>> appearance(SceneObject("mug", "red", "striped", 30, 50, 60))
    'red striped mug'
    """
    pattern = "" if thing.pattern == "plain" else f"{thing.pattern} "
    if thing.group != "people":
        return f"{thing.colour} {pattern}{thing.kind}"
    shirt = with_article("a", f"{thing.colour} {pattern}shirt")
    lower = f"{thing.lower_colour} {LOWER[thing.kind]}"
    if thing.kind == "woman":
        lower = with_article("a", lower)
    words = f"{thing.kind} in {shirt} and {lower}"
    if thing.hat:
        words += " with " + with_article("a", f"{thing.hat_colour} {thing.hat}")
    if thing.holding:
        words += " holding " + with_article("a", f"{thing.holding_colour} {thing.holding}")
    return words


def position(one: VisibleObject, scene: Scene) -> tuple[str, str]:
    """Tell where a thing stands: left, middle or right, and front, back or neither ("").

    The picture has three columns of equal width, judged by the centre of the visible box. Front
    and back are the lower and the upper fifth of the ground between the farthest and the nearest
    foot point of the scene.
    """
    x = one.centre[0] / scene.width
    across = "left" if x < 1 / 3 else "right" if x > 2 / 3 else "middle"
    grounds = [thing.ground for thing in scene.things]
    far, near = min(grounds), max(grounds)
    if near - far < 0.1 * scene.height:
        return across, ""
    share = (one.thing.ground - far) / (near - far)
    return across, "front" if share > 0.8 else "back" if share < 0.2 else ""


def caption(scene: Scene, seen: tuple[VisibleObject, ...], rng: random.Random | None = None) -> str:
    """Tell a scene.

    Args:
        scene: the scene as painted.
        seen: its visible things.
        rng: chooses among wordings and the order of telling; None for the plainest.

    Returns:
        Sentences with capitals and full stops.
    """
    rng = rng or random.Random(0)
    where = pick(rng, _WHERE.get(scene.place, (f"at a {scene.place}",)))
    when = pick(rng, _WHEN.get(scene.time, ("",)))
    opening = pick(rng, ("A scene", "A picture taken", "This is a scene", "A view"))
    sentences = [f"{opening} {where} {when}".strip()]
    order = sorted(range(len(seen)), key=lambda i: seen[i].centre[0])
    if rng.random() < 0.4:
        order.reverse()
    elif rng.random() < 0.3:
        order.sort(key=lambda i: -seen[i].thing.ground)
    for index in order:
        one = seen[index]
        across, depth = position(one, scene)
        spot = f"in the {across}" if across == "middle" else f"on the {across}"
        if depth:
            spot += f" in the {depth}"
        what = with_article("a", appearance(one.thing))
        if rng.random() < 0.6:
            sentences.append(f"{spot} there is {what}")
        else:
            verb = "stands" if one.thing.group in ("people", "animals") else "is"
            sentences.append(f"{what} {verb} {spot}")
    return " ".join(text[0].upper() + text[1:] + "." for text in sentences)
