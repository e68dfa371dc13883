"""Planning a scene: which things, how they look, where they stand. Nothing is painted here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from risbook.errors import DataError
from risbook.refscenes.background_types import PLACES
from risbook.refscenes.scene_types import (
    CATEGORIES,
    COLOURS,
    COLOURS_OF,
    HATS,
    HELD,
    PATTERNS_OF,
    SUPERCATEGORY_OF,
    Scene,
    SceneObject,
)

_T = TypeVar("_T")

THEMES: tuple[str, ...] = ("people", "things", "mixed")

#: kind -> (height, width): height as a share of a man's; width as a share of the own height.
SIZES: dict[str, tuple[float, float]] = {
    "man": (1.06, 0.42), "woman": (1.0, 0.42), "child": (0.76, 0.46), "dog": (0.58, 1.4),
    "cat": (0.54, 0.9), "sheep": (0.64, 1.25), "bird": (0.5, 1.3), "horse": (0.95, 1.4),
    "car": (0.62, 2.2), "bus": (0.86, 2.15), "bicycle": (0.68, 1.6), "boat": (0.92, 1.7),
    "chair": (0.72, 0.8), "lamp": (0.95, 0.6), "mug": (0.46, 1.25), "vase": (0.62, 0.75),
    "suitcase": (0.56, 1.15), "ball": (0.44, 1.0), "umbrella": (0.9, 1.26),
}  # fmt: skip

_ANYWHERE = (
    "man", "woman", "child", "umbrella", "dog", "bird", "cat", "bicycle", "ball", "suitcase",
    "chair",
    "dog", "bird", "cat", "bicycle", "ball", "suitcase", "chair",
)  # fmt: skip
#: place -> kinds that may be found there.
FOUND_IN: dict[str, tuple[str, ...]] = {
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
#: On a table small things are seen from near: kind -> height as a share of a man's.
_CLOSE = {"mug": 0.56, "vase": 0.78, "lamp": 0.9, "ball": 0.46, "bird": 0.56, "cat": 0.78}


class UniformSampler:
    """Random choices from a block of numbers drawn once; a call costs less than a generator's.

    Args:
        rng: source of the block.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._values: list[float] = rng.random(1024).tolist()
        self._next = -1

    def roll(self, low: float = 0.0, high: float = 1.0) -> float:
        """A number in [low, high)."""
        self._next = (self._next + 1) % len(self._values)
        return low + (high - low) * self._values[self._next]

    def pick(self, choices: Sequence[_T]) -> _T:
        """One of the choices."""
        return choices[int(self.roll(0, len(choices)))]

    def chance(self, share: float) -> bool:
        """True in that share of the calls."""
        return self.roll() < share


@dataclass(frozen=True, slots=True)
class _Frame:
    """The canvas while things are placed on it."""

    width: int
    height: int
    horizon: int
    place: str
    time: str


def sample_scene(rng: np.random.Generator, *, theme: str) -> Scene:
    """Plan a scene of 3 to 9 things.

    Args:
        rng: source of every choice; the same state gives the same scene.
        theme: "people" for two or more people and other things, "things" for two or more of one
            kind and at most one person, "mixed" for either.

    Returns:
        The scene, things ordered from far to near. `paint.render_scene` may still move or drop a
        thing that would hardly be seen.

    Raises:
        DataError: if the theme is unknown.
    """
    if theme not in THEMES:
        raise DataError(f"theme: unknown {theme!r}, choose one of {', '.join(THEMES)}")
    dice = UniformSampler(rng)
    main = _main_kind(dice, theme)
    place = dice.pick([name for name in PLACES if main in FOUND_IN[name]])
    if main == "boat":
        place = dice.pick(("harbour", "beach", "harbour"))
    time = "" if PLACES[place].indoors else dice.pick(("day", "day", "day", "evening", "night"))
    shape = dice.roll()
    width, height = (160, 120)
    if shape < 0.22:
        width, height = (160, 128)
    elif shape < 0.40:
        width, height = (120, 160)
    elif shape < 0.56:
        width, height = (128, 160)
    elif shape < 0.63:
        width, height = (160, 160)
    low, high = PLACES[place].horizon
    frame = _Frame(width, height, round(dice.roll(low, high) * height), place, time)
    kinds = _kinds(dice, theme, main, place)
    things: list[SceneObject] = []
    # The things of the main kind are placed first, so that crowding never drops them.
    for thing in _looks(dice, kinds, main, place):
        placed = _placed(dice, thing, frame, things, must=len(things) < 4 or thing.kind == main)
        if placed is not None:
            things.append(placed)
    things.sort(key=lambda thing: (thing.ground, thing.x))
    return Scene(width, height, place, time, tuple(things), frame.horizon)


def _main_kind(dice: UniformSampler, theme: str) -> str:
    people = CATEGORIES["people"]
    others = [kind for kind in SUPERCATEGORY_OF if kind not in people]
    if theme == "people":
        return dice.pick(people)
    if theme == "things" or dice.chance(0.7):
        return dice.pick(others)
    return dice.pick(people)


def _kinds(dice: UniformSampler, theme: str, main: str, place: str) -> list[str]:
    """The kinds of a scene: the main kind two to four times, then others."""
    people, found = CATEGORIES["people"], FOUND_IN[place]
    large = main in ("bus", "horse", "car", "boat")
    kinds = [main] * (dice.pick((2, 2, 3)) if large else dice.pick((2, 2, 3, 3, 4)))
    others = [kind for kind in found if kind != main and (theme == "mixed" or kind not in people)]
    if theme == "people":
        kinds.insert(2, dice.pick(others))
    if theme == "people" and dice.chance(0.75):
        other = dice.pick([kind for kind in people if kind != main])
        kinds += [other] * dice.pick((1, 1, 2))
    elif theme == "things" and dice.chance(0.4) and "man" in found:
        kinds.append(dice.pick(people))
    wanted = dice.pick((3, 4, 4, 5, 5, 5, 6, 6, 7, 8, 9))
    while len(kinds) < wanted:
        kind = dice.pick(others)
        double = dice.chance(0.4) and len(kinds) + 2 <= wanted and kind != "bus"
        kinds += [kind] * (2 if double else 1)
    return kinds


def _looks(dice: UniformSampler, kinds: list[str], main: str, place: str) -> list[SceneObject]:
    """Choose colours, patterns and sizes; the things of one kind share some of them."""
    things = []
    palette: dict[str, list[str]] = {}
    for kind in kinds:
        used = palette.setdefault(kind, [])
        colour = dice.pick(used) if used and dice.chance(0.42) else dice.pick(COLOURS_OF[kind])
        used.append(colour)
        pattern = dice.pick(PATTERNS_OF[kind]) if dice.chance(0.55) else "plain"
        share, _ = SIZES[kind]
        if PLACES[place].close:
            share = _CLOSE[kind]
        size = dice.pick((0.84, 1.0, 1.0, 1.2)) if kind == main else dice.pick((0.92, 1.0, 1.1))
        variant = int(dice.roll(0, 5040))
        if kind == "lamp":
            variant -= variant % 3
            variant += 1 if place == "table" else (0, 1)[variant // 3 % 2] if place == "room" else 2
            if place == "room" and variant % 3 == 1:
                share = 0.66
        thing = {"kind": kind, "colour": colour, "pattern": pattern}
        lower = hat = hat_colour = holding = holding_colour = ""
        if SUPERCATEGORY_OF[kind] == "people":
            lower = dice.pick([c for c in COLOURS if c != colour])
            hat = dice.pick(HATS[1:]) if dice.chance(0.45) else ""
            hat_colour = dice.pick(COLOURS) if hat else ""
            holding = dice.pick(HELD[1:]) if dice.chance(0.45) else ""
            holding_colour = dice.pick([c for c in COLOURS if c != "brown"]) if holding else ""
        things.append(
            SceneObject(
                **thing, height=share * size * dice.roll(0.96, 1.04), x=0, ground=0,
                facing=dice.pick(("left", "right")), lower_colour=lower, hat=hat,
                hat_colour=hat_colour, holding=holding, holding_colour=holding_colour,
                variant=variant,
            )
        )  # fmt: skip
    return things


def _band(kind: str, frame: _Frame, dice: UniformSampler) -> tuple[float, float]:
    """The shares of the ground, from horizon to lower border, between which a kind may stand."""
    water = PLACES[frame.place].water
    if kind == "boat" and water:
        if frame.place == "beach" and dice.chance(0.3):
            return 0.5, 0.95
        return 0.14, water - 0.05
    low = water + 0.1 if water else 0.1
    if kind == "bus":
        return max(low, 0.22), 0.72
    return low, 0.96


def _placed(
    dice: UniformSampler,
    thing: SceneObject,
    frame: _Frame,
    others: list[SceneObject],
    *,
    must: bool,
) -> SceneObject | None:
    """Find a spot that hides little; None if there is none and the thing may be left out."""
    best: SceneObject | None = None
    least = 9.0
    low, high = _band(thing.kind, frame, dice)
    base = 0.44 * (frame.width * frame.height) ** 0.5
    _, wide = SIZES[thing.kind]
    floor = frame.height - frame.horizon
    for _ in range(20):
        near = dice.roll(low, high)
        height = max(base * thing.height * (0.62 + 0.56 * near), 15.0)
        # Nothing fills the picture: wide things in narrow pictures are drawn smaller.
        height = min(height, 0.56 * frame.width / wide)
        half = 0.5 * height * wide
        margin = 0.45 * half if dice.chance(0.15) else 1.02 * half
        x = round(dice.roll(margin, frame.width - margin))
        ground = round(frame.horizon + near * floor)
        trial = SceneObject(
            thing.kind, thing.colour, thing.pattern, round(height, 1), x, ground, thing.facing,
            thing.lower_colour, thing.hat, thing.hat_colour, thing.holding, thing.holding_colour,
            thing.variant,
        )  # fmt: skip
        hidden = _hiding(trial, others)
        if hidden < least:
            best, least = trial, hidden
        if hidden < 0.14:
            break
    return best if must or least < 0.55 else None


def _hiding(thing: SceneObject, others: list[SceneObject]) -> float:
    """The largest share of a thing's box that another's box hides, this one's or theirs."""
    worst = 0.0
    half, height = 0.5 * thing.height * SIZES[thing.kind][1], thing.height
    for other in others:
        far_half, far_height = 0.5 * other.height * SIZES[other.kind][1], other.height
        across = min(thing.x + half, other.x + far_half) - max(thing.x - half, other.x - far_half)
        if across <= 0:
            continue
        top = max(thing.ground - height, other.ground - far_height)
        down = min(thing.ground, other.ground) - top
        if down <= 0:
            continue
        behind = other if other.ground <= thing.ground else thing
        area = behind.height * behind.height * SIZES[behind.kind][1]
        worst = max(worst, across * down / area)
    return worst
