"""Painting a planned scene: picture, masks, and what can be seen of every thing."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from risbook.refscenes.animals import PERIOD as ANIMAL_PERIOD
from risbook.refscenes.animals import REACH as ANIMAL_REACH
from risbook.refscenes.animals import draw_animal
from risbook.refscenes.background_types import LIGHT_OF, PLACES
from risbook.refscenes.backgrounds import render_background
from risbook.refscenes.colours import RGB_OF, pattern_rgb
from risbook.refscenes.household import PERIOD as HOUSEHOLD_PERIOD
from risbook.refscenes.household import REACH as HOUSEHOLD_REACH
from risbook.refscenes.household import draw_household
from risbook.refscenes.people import PERIOD as PEOPLE_PERIOD
from risbook.refscenes.people import draw_person, reach
from risbook.refscenes.scene_types import Scene, SceneObject, VisibleObject
from risbook.refscenes.sprite_canvas import Sprite, SpriteCanvas
from risbook.refscenes.textures import Bools, Floats, paper
from risbook.refscenes.vehicles import PERIOD as VEHICLE_PERIOD
from risbook.refscenes.vehicles import REACH as VEHICLE_REACH
from risbook.refscenes.vehicles import draw_vehicle

#: Of every thing at least this share of its pixels on the canvas stays visible ...
MIN_VISIBLE = 0.35
#: ... and at least so many pixels.
MIN_AREA = 40

_PAINT = {"animals": draw_animal, "vehicles": draw_vehicle, "household": draw_household}
_REACH = {**ANIMAL_REACH, **VEHICLE_REACH, **HOUSEHOLD_REACH}
_PERIOD = {**ANIMAL_PERIOD, **VEHICLE_PERIOD, **HOUSEHOLD_PERIOD}
#: Sideways moves, in pixels, that are tried for a thing that would hardly be seen.
_MOVES = (12, -12, 24, -24, 38, -38, 54, -54, 72, -72, 96, -96, 120, -120)

Ids = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class RenderedScene:
    """A painted scene.

    Args:
        scene: the facts as drawn: things that would hardly be seen were moved or left out.
        image: uint8 (H, W, 3), RGB.
        ids: uint8 (H, W); 0 is background, i + 1 the visible pixels of `scene.things[i]`.
        seen: what can be seen of each thing, in the order of `scene.things`.
    """

    scene: Scene
    image: npt.NDArray[np.uint8]
    ids: Ids
    seen: tuple[VisibleObject, ...]


def sprite_of(thing: SceneObject, light: int, shift: int) -> Sprite:
    """Paint one thing on a tile of its own.

    Args:
        thing: the facts; its position is not used.
        light: -1 where light comes from the left, 1 from the right.
        shift: chooses the grain of its textures.

    Returns:
        The tile.
    """
    if thing.group == "people":
        brush, period = SpriteCanvas(height=thing.height, reach=reach(thing)), PEOPLE_PERIOD
        draw_person(brush, thing)
    else:
        brush = SpriteCanvas(height=thing.height, reach=_REACH[thing.kind])
        period = _PERIOD[thing.kind]
        _PAINT[thing.group](brush, thing)
    ink = pattern_rgb(RGB_OF[thing.colour])
    flip = thing.facing == "left"
    return brush.finish(
        pattern=thing.pattern, ink=ink, period=period, flip=flip, light=light, shift=shift
    )


def render_scene(scene: Scene, rng: np.random.Generator) -> RenderedScene:
    """Paint a scene.

    Where a thing would keep less than `MIN_VISIBLE` of its pixels, or less than `MIN_AREA`, it or a
    thing in front of it is moved sideways; where no move helps, which is very rare, it is
    left out. `RenderedScene.scene` says what was drawn.

    Args:
        scene: the plan.
        rng: chooses what no fact speaks of: clouds, grain, the side of the light.

    Returns:
        The picture with its masks.
    """
    light = -1 if rng.random() < 0.6 else 1
    grain = int(rng.integers(1 << 16))
    image = render_background(scene, rng)
    things = list(scene.things)
    sprites = [sprite_of(thing, light, grain + 17 * index) for index, thing in enumerate(things)]
    things, sprites, ids, seen = _settled(scene, things, sprites)
    tint = np.array(LIGHT_OF[scene.time], np.float32)
    for thing, sprite in zip(things, sprites, strict=True):
        afloat = _afloat(scene, thing)
        if afloat:
            _reflect(image, thing, sprite)
        else:
            _shadow(image, thing, sprite, light, scene.time)
        if thing.kind == "lamp":
            _glow(image, thing, scene.time)
        _blend(image, thing, sprite, tint)
        if afloat:
            _ripple(image, ids, thing, sprite)
    _grain(image, grain)
    pixels = np.clip(image, 0, 255).astype(np.uint8)
    return RenderedScene(replace(scene, things=tuple(things)), pixels, ids, seen)


Window = tuple[slice, slice, slice, slice]


def _window(thing: SceneObject, sprite: Sprite, shape: tuple[int, ...]) -> Window:
    """Where the tile meets the canvas: rows and columns of the canvas, then of the tile."""
    left, top = round(thing.x) - sprite.foot[0], round(thing.ground) - sprite.foot[1]
    high, wide = sprite.mask.shape
    y0, y1 = max(0, top), min(shape[0], top + high)
    x0, x1 = max(0, left), min(shape[1], left + wide)
    y1, x1 = max(y0, y1), max(x0, x1)
    return (
        slice(y0, y1), slice(x0, x1), slice(y0 - top, y1 - top), slice(x0 - left, x1 - left),
    )  # fmt: skip


def _stack(
    shape: tuple[int, int], things: list[SceneObject], sprites: list[Sprite]
) -> tuple[Ids, list[int]]:
    """Lay the masks over each other; also count each one's pixels on the canvas."""
    ids = np.zeros(shape, np.uint8)
    drawn = []
    for index, (thing, sprite) in enumerate(zip(things, sprites, strict=True)):
        rows, columns, tile_rows, tile_columns = _window(thing, sprite, shape)
        mask = sprite.mask[tile_rows, tile_columns]
        ids[rows, columns][mask] = index + 1
        drawn.append(int(np.count_nonzero(mask)))
    return ids, drawn


def _offence(area: int, drawn: int, whole: int) -> float:
    """How far a thing is from being visible enough; 0 where it is."""
    lack = max(0.0, MIN_AREA - area) / MIN_AREA
    lack = max(lack, MIN_VISIBLE - area / max(1, drawn))
    return max(lack, 0.5 - drawn / max(1, whole))


def _offences(scene: Scene, things: list[SceneObject], sprites: list[Sprite]) -> list[float]:
    ids, drawn = _stack((scene.height, scene.width), things, sprites)
    areas = np.bincount(ids.ravel(), minlength=len(drawn) + 1)[1:].tolist()
    wholes = [int(np.count_nonzero(sprite.mask)) for sprite in sprites]
    return [_offence(*three) for three in zip(areas, drawn, wholes, strict=True)]


def _moved(
    scene: Scene, things: list[SceneObject], sprites: list[Sprite], offences: list[float]
) -> list[SceneObject] | None:
    """Move one thing sideways, the worst hidden one first; None if no move helps."""
    best, least = None, sum(offences) - 1e-6
    worst = offences.index(max(offences))
    for index in [worst, *(i for i in range(len(things)) if i != worst)]:
        for move in _MOVES:
            x = things[index].x + move
            if not 0.08 * scene.width < x < 0.92 * scene.width:
                continue
            trial = list(things)
            trial[index] = replace(things[index], x=x)
            left = sum(_offences(scene, trial, sprites))
            if left <= 0:
                return trial
            if left < least:
                best, least = trial, left
    return best


def _settled(
    scene: Scene, things: list[SceneObject], sprites: list[Sprite]
) -> tuple[list[SceneObject], list[Sprite], Ids, tuple[VisibleObject, ...]]:
    """Move or drop things until every one is visible enough."""
    while max(offences := _offences(scene, things, sprites), default=0.0) > 0:
        moved = _moved(scene, things, sprites, offences)
        if moved is not None:
            things = moved
            continue
        index = offences.index(max(offences))
        things, sprites = (
            things[:index] + things[index + 1 :],
            sprites[:index] + sprites[index + 1 :],
        )
    shape = (scene.height, scene.width)
    ids, drawn = _stack(shape, things, sprites)
    seen = []
    for index, thing in enumerate(things):
        rows, columns, _, _ = _window(thing, sprites[index], shape)
        mask = ids[rows, columns] == index + 1
        ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        box = (
            int(columns.start + xs[0]), int(rows.start + ys[0]),
            int(columns.start + xs[-1]) + 1, int(rows.start + ys[-1]) + 1,
        )  # fmt: skip
        area = int(np.count_nonzero(mask))
        seen.append(VisibleObject(thing, box, area, area / drawn[index]))
    return things, sprites, ids, tuple(seen)


def _blend(image: Floats, thing: SceneObject, sprite: Sprite, tint: Floats) -> None:
    rows, columns, tile_rows, tile_columns = _window(thing, sprite, image.shape)
    under = image[rows, columns]
    over = sprite.rgb[tile_rows, tile_columns] * tint
    under += (over - under) * sprite.alpha[tile_rows, tile_columns]


def _afloat(scene: Scene, thing: SceneObject) -> bool:
    water = PLACES[scene.place].water
    shore = scene.horizon + water * (scene.height - scene.horizon)
    return thing.kind == "boat" and water > 0 and thing.ground < shore


def _foot_span(mask: Bools, foot: int) -> tuple[float, float]:
    """Left and right end of what touches the ground, tile columns."""
    low = mask[max(0, foot - max(3, mask.shape[0] // 8)) :].any(0)
    columns = np.flatnonzero(low)
    if not columns.size:
        return 0.0, float(mask.shape[1])
    return float(columns[0]), float(columns[-1] + 1)


def _shadow(image: Floats, thing: SceneObject, sprite: Sprite, light: int, time: str) -> None:
    """A soft dark pool under a thing, drawn out to the side away from the light."""
    left, right = _foot_span(sprite.mask, sprite.foot[1])
    origin = round(thing.x) - sprite.foot[0]
    long = {"evening": 0.55, "night": 0.12}.get(time, 0.28) * thing.height
    half = (right - left) / 2 + 2
    centre = origin + (left + right) / 2
    depth = max(2.5, min(0.22 * half + 1.5, 7.0))
    strength = 0.5 if time != "night" else 0.42
    for x, rx, ry, share in (
        (centre - light * long * 0.5, half * 0.9 + long * 0.6, depth * 0.9, 0.55),
        (centre, half, depth, 0.8),
    ):
        y = thing.ground - 0.6
        y0, y1 = max(0, int(y - ry)), min(image.shape[0], int(y + ry) + 2)
        x0, x1 = max(0, int(x - rx)), min(image.shape[1], int(x + rx) + 2)
        if y1 <= y0 or x1 <= x0:
            continue
        dy = ((np.arange(y0, y1, dtype=np.float32) - np.float32(y)) / np.float32(ry)) ** 2
        dx = ((np.arange(x0, x1, dtype=np.float32) - np.float32(x)) / np.float32(rx)) ** 2
        dark = np.maximum(0, 1 - dy[:, None] - dx[None]) * np.float32(strength * share)
        image[y0:y1, x0:x1] *= 1 - dark[..., None] * np.array((1.0, 0.95, 0.8), np.float32)


def _glow(image: Floats, thing: SceneObject, time: str) -> None:
    """The light of a lamp on what is behind it; by day a lamp is off."""
    strength = {"night": 62.0, "evening": 36.0, "": 14.0}.get(time)
    if strength is None:
        return
    radius = 0.62 * thing.height
    x, y = thing.x, thing.ground - 0.78 * thing.height
    y0, y1 = max(0, int(y - radius)), min(image.shape[0], int(y + radius) + 2)
    x0, x1 = max(0, int(x - radius)), min(image.shape[1], int(x + radius) + 2)
    if y1 <= y0 or x1 <= x0:
        return
    dy = ((np.arange(y0, y1, dtype=np.float32) - np.float32(y)) / np.float32(radius)) ** 2
    dx = ((np.arange(x0, x1, dtype=np.float32) - np.float32(x)) / np.float32(radius)) ** 2
    bright = np.maximum(0, 1 - dy[:, None] - dx[None]) ** 2 * np.float32(strength)
    image[y0:y1, x0:x1] += bright[..., None] * np.array((1.0, 0.84, 0.46), np.float32)


def _reflect(image: Floats, thing: SceneObject, sprite: Sprite) -> None:
    """The mirror image of a boat on the water, paler with the distance from it."""
    ground = round(thing.ground)
    depth = min(sprite.foot[1] // 2, image.shape[0] - ground)
    left = round(thing.x) - sprite.foot[0]
    x0, x1 = max(0, left), min(image.shape[1], left + sprite.mask.shape[1])
    if depth <= 0 or x1 <= x0:
        return
    foot = sprite.foot[1]
    tile = slice(foot - depth, foot), slice(x0 - left, x1 - left)
    fade = np.linspace(0.5, 0.0, depth, dtype=np.float32)[:, None, None]
    under = image[ground : ground + depth, x0:x1]
    under += (0.8 * sprite.rgb[tile][::-1] - under) * sprite.alpha[tile][::-1] * fade


def _ripple(image: Floats, ids: Ids, thing: SceneObject, sprite: Sprite) -> None:
    """A bright line where the hull meets the water; it spares every mask."""
    left, right = _foot_span(sprite.mask, sprite.foot[1])
    origin = round(thing.x) - sprite.foot[0]
    y = round(thing.ground) + 1
    x0, x1 = max(0, int(origin + left) - 3), min(image.shape[1], int(origin + right) + 4)
    if y < image.shape[0] and x1 > x0:
        free = (ids[y, x0:x1] == 0)[:, None]
        image[y, x0:x1] += (235 - image[y, x0:x1]) * 0.4 * free


def _grain(image: Floats, grain: int) -> None:
    """The tooth of the paper, over everything."""
    noise = paper()[grain % 89 :, grain % 83 :][: image.shape[0], : image.shape[1]]
    image += noise[..., None]
