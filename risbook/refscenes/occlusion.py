"""Occlusion: which pixels of every object stay visible, and how heavy occlusion is resolved."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from risbook.refscenes.scene_types import Scene, SceneObject, VisibleObject
from risbook.refscenes.sprite_canvas import Sprite

#: Every object keeps at least this share of its pixels in the image ...
MIN_VISIBLE = 0.35
#: ... and at least so many pixels.
MIN_AREA = 40
#: At least this share of the whole sprite lies inside the image.
_MIN_INSIDE = 0.5
#: Horizontal moves that are tried for an occluded object, pixels.
_MOVES = (12, -12, 24, -24, 38, -38, 54, -54, 72, -72, 96, -96, 120, -120)

Ids = npt.NDArray[np.uint8]
Window = tuple[slice, slice, slice, slice]


def overlap(obj: SceneObject, sprite: Sprite, shape: tuple[int, ...]) -> Window:
    """Where a sprite meets the image: rows and columns of the image, then of the sprite."""
    left, top = round(obj.x) - sprite.foot[0], round(obj.ground) - sprite.foot[1]
    height, width = sprite.mask.shape
    y0, y1 = np.clip((top, top + height), 0, shape[0])
    x0, x1 = np.clip((left, left + width), 0, shape[1])
    return (
        slice(y0, y1), slice(x0, x1), slice(y0 - top, y1 - top), slice(x0 - left, x1 - left),
    )  # fmt: skip


def _stack_masks(
    scene: Scene, objects: list[SceneObject], sprites: list[Sprite]
) -> tuple[Ids, list[int]]:
    """Stack all masks, far to near; also count each object's pixels inside the image."""
    instance_ids = np.zeros((scene.height, scene.width), np.uint8)
    inside = []
    for index, (obj, sprite) in enumerate(zip(objects, sprites, strict=True)):
        rows, columns, tile_rows, tile_columns = overlap(obj, sprite, instance_ids.shape)
        mask = sprite.mask[tile_rows, tile_columns]
        instance_ids[rows, columns][mask] = index + 1
        inside.append(int(np.count_nonzero(mask)))
    return instance_ids, inside


def _penalties(scene: Scene, objects: list[SceneObject], sprites: list[Sprite]) -> list[float]:
    """How far each object is from being visible enough; 0 where it is."""
    instance_ids, inside = _stack_masks(scene, objects, sprites)
    areas = np.bincount(instance_ids.ravel(), minlength=len(inside) + 1)[1:].tolist()
    wholes = [int(np.count_nonzero(sprite.mask)) for sprite in sprites]
    return [
        max(
            max(0.0, MIN_AREA - area) / MIN_AREA,
            MIN_VISIBLE - area / max(1, count),
            _MIN_INSIDE - count / max(1, whole),
        )
        for area, count, whole in zip(areas, inside, wholes, strict=True)
    ]


def _best_move(
    scene: Scene, objects: list[SceneObject], sprites: list[Sprite], penalties: list[float]
) -> list[SceneObject] | None:
    """Move one object sideways, the most occluded one first; None if no move helps."""
    best, least = None, sum(penalties) - 1e-6
    worst = penalties.index(max(penalties))
    for index in [worst, *(i for i in range(len(objects)) if i != worst)]:
        for move in _MOVES:
            x = objects[index].x + move
            if not 0.08 * scene.width < x < 0.92 * scene.width:
                continue
            trial = list(objects)
            trial[index] = replace(objects[index], x=x)
            total = sum(_penalties(scene, trial, sprites))
            if total <= 0:
                return trial
            if total < least:
                best, least = trial, total
    return best


def resolve_occlusion(
    scene: Scene, sprites: list[Sprite]
) -> tuple[Scene, list[Sprite], Ids, tuple[VisibleObject, ...]]:
    """Move or drop objects until each is visible enough.

    Returns:
        The resolved scene, its sprites, uint8 (H, W) instance ids, and its visible objects.
    """
    objects = list(scene.objects)
    while max(penalties := _penalties(scene, objects, sprites), default=0.0) > 0:
        moved = _best_move(scene, objects, sprites, penalties)
        if moved is not None:
            objects = moved
            continue
        index = penalties.index(max(penalties))
        objects = objects[:index] + objects[index + 1 :]
        sprites = sprites[:index] + sprites[index + 1 :]
    resolved = replace(scene, objects=tuple(objects))
    return resolved, sprites, *find_visible_objects(resolved, sprites)


def find_visible_objects(
    scene: Scene, sprites: list[Sprite]
) -> tuple[Ids, tuple[VisibleObject, ...]]:
    """Stack the sprites of a scene: uint8 (H, W) instance ids, and what stays visible."""
    instance_ids, inside = _stack_masks(scene, list(scene.objects), sprites)
    visible_objects = []
    for index, (obj, count) in enumerate(zip(scene.objects, inside, strict=True)):
        mask = instance_ids == index + 1
        box = Image.fromarray(mask.view(np.uint8)).getbbox() or (0, 0, 0, 0)
        area = int(np.count_nonzero(mask))
        visible_objects.append(VisibleObject(obj, box, area, area / count))
    return instance_ids, tuple(visible_objects)
