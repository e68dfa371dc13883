"""Samples scenes: which objects, their attributes, and where they stand."""

from dataclasses import replace

import numpy as np

from risbook.errors import DataError
from risbook.refscenes.background_types import BACKGROUNDS
from risbook.refscenes.sampling import UniformSampler
from risbook.refscenes.scene_types import (
    CATEGORIES,
    COLOURS,
    COLOURS_OF,
    HATS,
    HELD_OBJECTS,
    PATTERNS_OF,
    SUPERCATEGORY_OF,
    Scene,
    SceneObject,
)

THEMES: tuple[str, ...] = ("people", "things", "mixed")

#: category -> (height, width): height relative to an adult's, width relative to the own height
RELATIVE_SIZE: dict[str, tuple[float, float]] = {
    "man": (1.06, 0.42), "woman": (1.0, 0.42), "child": (0.76, 0.46), "dog": (0.58, 1.4),
    "cat": (0.54, 0.9), "sheep": (0.64, 1.25), "bird": (0.5, 1.3), "horse": (0.95, 1.4),
    "car": (0.62, 2.2), "bus": (0.86, 2.15), "bicycle": (0.68, 1.6), "boat": (0.92, 1.7),
    "chair": (0.72, 0.8), "lamp": (0.95, 0.6), "mug": (0.46, 1.25), "vase": (0.62, 0.75),
    "suitcase": (0.56, 1.15), "ball": (0.44, 1.0), "umbrella": (0.9, 1.26),
}  # fmt: skip

_ANYWHERE = (
    *CATEGORIES["people"], "umbrella",
    *("dog", "bird", "cat", "bicycle", "ball", "suitcase", "chair") * 2,
)  # fmt: skip
#: background -> its categories; repetition makes a category more frequent
CATEGORIES_IN: dict[str, tuple[str, ...]] = {
    "meadow": (*_ANYWHERE, "sheep", "horse", "sheep", "horse", "car"),
    "park": (*_ANYWHERE, "lamp", "horse", "vase"),
    "street": (*_ANYWHERE, "car", "bus", "car", "bus", "lamp", "horse"),
    "beach": (*_ANYWHERE, "boat", "boat", "umbrella", "horse"),
    "snow": (*_ANYWHERE, "sheep", "horse", "car", "bus", "lamp"),
    "harbour": (*_ANYWHERE, "boat", "boat", "boat", "car", "lamp"),
    "room": (
        "man", "woman", "child", "dog", "cat", "bird", "chair", "lamp", "vase", "suitcase", "ball",
        "mug", "umbrella",
    ),
    "table": ("mug", "vase", "lamp", "ball", "bird", "cat", "mug", "vase"),
}  # fmt: skip
#: The same height in a close view, where small objects are large.
_CLOSE_HEIGHT = {"mug": 0.56, "vase": 0.78, "lamp": 0.9, "ball": 0.46, "bird": 0.56, "cat": 0.78}

#: (cumulative probability, (width, height)) of the image sizes
_IMAGE_SIZES = (
    (0.22, (160, 128)), (0.40, (120, 160)), (0.56, (128, 160)), (0.63, (160, 160)),
    (1.0, (160, 120)),
)  # fmt: skip


def sample_scene(rng: np.random.Generator, *, theme: str) -> Scene:
    """Sample a scene of 3 to 9 objects.

    Args:
        rng: source of every choice; the same state gives the same scene.
        theme: "people" for two or more people among other objects, "things" for two or more
            objects of one other category and at most one person, "mixed" for either.

    Returns:
        The scene, objects ordered from far to near. `scene_renderer.render_scene` may still move or
        drop an object that would be occluded.

    Raises:
        DataError: if the theme is unknown.
    """
    if theme not in THEMES:
        raise DataError(f"theme: unknown {theme!r}, choose one of {', '.join(THEMES)}")
    sampler = UniformSampler(rng)
    main = _main_category(sampler, theme)
    background = sampler.choose([name for name in BACKGROUNDS if main in CATEGORIES_IN[name]])
    if main == "boat":
        background = sampler.choose(("harbour", "beach", "harbour"))
    indoors = BACKGROUNDS[background].indoors
    time = "" if indoors else sampler.choose(("day", "day", "day", "evening", "night"))
    shape = sampler.uniform()
    width, height = next(size for limit, size in _IMAGE_SIZES if shape < limit)
    horizon = round(sampler.uniform(*BACKGROUNDS[background].horizon) * height)
    scene = Scene(width, height, background, time, (), horizon)
    categories = _categories(sampler, theme, main, background)
    objects: list[SceneObject] = []
    # The objects of the main category are placed first, so that crowding never drops them.
    for obj in _objects(sampler, categories, main, background):
        required = len(objects) < 4 or obj.category == main
        placed = _place(sampler, obj, scene, objects, required=required)
        if placed is not None:
            objects.append(placed)
    objects.sort(key=lambda obj: (obj.ground, obj.x))
    return replace(scene, objects=tuple(objects))


def _main_category(sampler: UniformSampler, theme: str) -> str:
    people = CATEGORIES["people"]
    if theme == "things" or (theme == "mixed" and sampler.bernoulli(0.7)):
        return sampler.choose([name for name in SUPERCATEGORY_OF if name not in people])
    return sampler.choose(people)


def _categories(sampler: UniformSampler, theme: str, main: str, background: str) -> list[str]:
    """The main category two to four times, then others."""
    people, allowed = CATEGORIES["people"], CATEGORIES_IN[background]
    large = main in ("bus", "horse", "car", "boat")
    categories = [main] * sampler.choose((2, 2, 3) if large else (2, 2, 3, 3, 4))
    mixed = theme == "mixed"
    others = [name for name in allowed if name != main and (mixed or name not in people)]
    if theme == "people":
        categories.insert(2, sampler.choose(others))
    if theme == "people" and sampler.bernoulli(0.75):
        other = sampler.choose([name for name in people if name != main])
        categories += [other] * sampler.choose((1, 1, 2))
    elif theme == "things" and sampler.bernoulli(0.4) and "man" in allowed:
        categories.append(sampler.choose(people))
    count = sampler.choose((3, 4, 4, 5, 5, 5, 6, 6, 7, 8, 9))
    while len(categories) < count:
        category = sampler.choose(others)
        pair = sampler.bernoulli(0.4) and len(categories) + 2 <= count and category != "bus"
        categories += [category] * (2 if pair else 1)
    return categories


def _objects(
    sampler: UniformSampler, categories: list[str], main: str, background: str
) -> list[SceneObject]:
    """Sample attributes and sizes; position 0, height relative to an adult's.

    Objects of one category often share a colour, so that colour alone does not tell them apart.
    """
    objects = []
    used_colours: dict[str, list[str]] = {}
    for category in categories:
        used = used_colours.setdefault(category, [])
        repeat = bool(used) and sampler.bernoulli(0.42)
        colour = sampler.choose(used if repeat else COLOURS_OF[category])
        used.append(colour)
        pattern = sampler.choose(PATTERNS_OF[category]) if sampler.bernoulli(0.55) else "plain"
        close = BACKGROUNDS[background].close
        height = _CLOSE_HEIGHT[category] if close else RELATIVE_SIZE[category][0]
        size = sampler.choose((0.84, 1.0, 1.0, 1.2) if category == main else (0.92, 1.0, 1.1))
        variant = int(sampler.uniform(0, 5040))
        if category == "lamp":
            variant = _lamp_variant(variant, background)
            if background == "room" and variant % 3 == 1:
                height = 0.66
        details: dict[str, str] = {}
        if SUPERCATEGORY_OF[category] == "people":
            details["lower_colour"] = sampler.choose([name for name in COLOURS if name != colour])
            if sampler.bernoulli(0.45):
                details |= {"hat": sampler.choose(HATS[1:]), "hat_colour": sampler.choose(COLOURS)}
            if sampler.bernoulli(0.45):
                details["holding"] = sampler.choose(HELD_OBJECTS[1:])
                colours = [name for name in COLOURS if name != "brown"]
                details["holding_colour"] = sampler.choose(colours)
        height = height * size * sampler.uniform(0.96, 1.04)
        details["facing"] = sampler.choose(("left", "right"))
        obj = SceneObject(category, colour, pattern, height, 0, 0, variant=variant, **details)
        objects.append(obj)
    return objects


def _lamp_variant(variant: int, background: str) -> int:
    """Variant modulo 3 is the form: floor lamp (0), table lamp (1), street lamp (2)."""
    variant -= variant % 3
    if background == "table":
        return variant + 1
    return variant + (variant // 3 % 2 if background == "room" else 2)


def _ground_range(sampler: UniformSampler, category: str, background: str) -> tuple[float, float]:
    """Shares of the ground, from horizon to lower border, where a category may stand."""
    water = BACKGROUNDS[background].water
    if category == "boat" and water:
        if background == "beach" and sampler.bernoulli(0.3):
            return 0.5, 0.95
        return 0.14, water - 0.05
    low = water + 0.1 if water else 0.1
    if category == "bus":
        return max(low, 0.22), 0.72
    return low, 0.96


def _place(
    sampler: UniformSampler, obj: SceneObject, scene: Scene, others: list[SceneObject],
    *, required: bool,
) -> SceneObject | None:  # fmt: skip
    """Try 20 positions for the least occlusion; None if all are bad and the object can go."""
    best: SceneObject | None = None
    least = 9.0
    low, high = _ground_range(sampler, obj.category, scene.background)
    base = 0.44 * (scene.width * scene.height) ** 0.5
    _, relative_width = RELATIVE_SIZE[obj.category]
    for _ in range(20):
        depth = sampler.uniform(low, high)
        height = max(base * obj.height * (0.62 + 0.56 * depth), 15.0)
        # Nothing fills the image: wide objects in narrow images are drawn smaller.
        height = min(height, 0.56 * scene.width / relative_width)
        half = 0.5 * height * relative_width
        margin = 0.45 * half if sampler.bernoulli(0.15) else 1.02 * half
        x = round(sampler.uniform(margin, scene.width - margin))
        ground = round(scene.horizon + depth * (scene.height - scene.horizon))
        trial = replace(obj, height=round(height, 1), x=x, ground=ground)
        occlusion = _occlusion(trial, others)
        if occlusion < least:
            best, least = trial, occlusion
        if occlusion < 0.14:
            break
    return best if required or least < 0.55 else None


def _occlusion(obj: SceneObject, others: list[SceneObject]) -> float:
    """The largest share of a box that another box hides, this object's or another's."""
    largest = 0.0
    half = 0.5 * obj.height * RELATIVE_SIZE[obj.category][1]
    for other in others:
        other_half = 0.5 * other.height * RELATIVE_SIZE[other.category][1]
        width = min(obj.x + half, other.x + other_half) - max(obj.x - half, other.x - other_half)
        top = max(obj.ground - obj.height, other.ground - other.height)
        height = min(obj.ground, other.ground) - top
        if width <= 0 or height <= 0:
            continue
        behind = other if other.ground <= obj.ground else obj
        area = behind.height * behind.height * RELATIVE_SIZE[behind.category][1]
        largest = max(largest, width * height / area)
    return largest
