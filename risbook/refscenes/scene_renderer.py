"""Renders a scene: the image, the instance ids, and what stays visible of every object."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from risbook.refscenes import light_effects, people
from risbook.refscenes.animals import ANIMALS
from risbook.refscenes.background_types import BACKGROUNDS, OBJECT_LIGHT
from risbook.refscenes.backgrounds import render_background
from risbook.refscenes.colours import RGB_OF
from risbook.refscenes.household import HOUSEHOLD
from risbook.refscenes.occlusion import Ids, find_visible_objects, overlap, resolve_occlusion
from risbook.refscenes.scene_types import Scene, SceneObject, VisibleObject
from risbook.refscenes.sprite_canvas import Sprite, SpriteCanvas
from risbook.refscenes.textures import Floats, sensor_noise
from risbook.refscenes.vehicles import VEHICLES

#: category -> its shape; a person's shape depends on more than the category
_SHAPES = {**ANIMALS, **VEHICLES, **HOUSEHOLD}


@dataclass(frozen=True, slots=True)
class RenderedScene:
    """A scene with its image and masks.

    Args:
        scene: the facts as rendered; occluded objects were moved or dropped.
        image: uint8 (H, W, 3), RGB.
        instance_ids: uint8 (H, W); 0 is background, i + 1 the visible pixels of
            ``scene.objects[i]``.
        visible_objects: in the order of ``scene.objects``.
    """

    scene: Scene
    image: npt.NDArray[np.uint8]
    instance_ids: Ids
    visible_objects: tuple[VisibleObject, ...]


def render_sprite(obj: SceneObject, *, light: int, seed: int, scale: int = 1) -> Sprite:
    """Render one object on a tile of its own, wherever it stands; see `SpriteCanvas.finish`."""
    if obj.supercategory == "people":
        extent, period = people.extent(obj), people.PERIOD
    else:
        shape = _SHAPES[obj.category]
        extent, period = shape.extent, shape.period
    canvas = SpriteCanvas(height=obj.height, extent=extent, image_scale=scale)
    if obj.supercategory == "people":
        people.draw_person(canvas, obj)
    else:
        shape.draw(canvas, RGB_OF[obj.colour], obj.variant)
    return canvas.finish(obj, period=period, light=light, seed=seed)


def render_scene(scene: Scene, rng: np.random.Generator, scale: int = 1) -> RenderedScene:
    """Render a scene.

    Where an object would keep less than `occlusion.MIN_VISIBLE` of its pixels, or less than
    `occlusion.MIN_AREA`, an object is moved sideways; where no move helps, which is very rare, it
    is dropped.

    Args:
        scene: the scene as sampled.
        rng: chooses what no expression mentions: clouds, noise, the side of the light.
        scale: the image is so many times as large as the scene says. Occlusion is resolved at
            scale 1, so that the same objects stand in the same places at every scale.
    """
    light = -1 if rng.random() < 0.6 else 1
    seed = int(rng.integers(1 << 16))
    image = render_background(scene, rng, scale)
    sprites = _render_sprites(scene, light, seed)
    scene, sprites, instance_ids, visible_objects = resolve_occlusion(scene, sprites)
    if scale > 1:
        scene = scene.scaled(scale)
        sprites = _render_sprites(scene, light, seed, scale)
        instance_ids, visible_objects = find_visible_objects(scene, sprites)
    tint = np.array(OBJECT_LIGHT[scene.time], np.float32)
    for obj, sprite in zip(scene.objects, sprites, strict=True):
        afloat = _is_afloat(scene, obj)
        if afloat:
            light_effects.add_reflection(image, obj, sprite)
        else:
            light_effects.add_shadow(image, obj, sprite, light, scene.time, scale)
        if obj.category == "lamp":
            light_effects.add_lamp_light(image, obj, scene.time)
        _composite(image, obj, sprite, tint)
        if afloat:
            light_effects.add_waterline(image, instance_ids == 0, obj, sprite, scale)
    noise = sensor_noise(scale)[seed % 89 :, seed % 83 :][: scene.height, : scene.width]
    image += noise[..., None]
    pixels = np.clip(image, 0, 255).astype(np.uint8)
    return RenderedScene(scene, pixels, instance_ids, visible_objects)


def _render_sprites(scene: Scene, light: int, seed: int, scale: int = 1) -> list[Sprite]:
    return [
        render_sprite(obj, light=light, seed=seed + 17 * index, scale=scale)
        for index, obj in enumerate(scene.objects)
    ]


def _composite(image: Floats, obj: SceneObject, sprite: Sprite, tint: Floats) -> None:
    rows, columns, tile_rows, tile_columns = overlap(obj, sprite, image.shape)
    window = image[rows, columns]
    rgb = sprite.rgb[tile_rows, tile_columns] * tint
    window += (rgb - window) * sprite.alpha[tile_rows, tile_columns]


def _is_afloat(scene: Scene, obj: SceneObject) -> bool:
    water = BACKGROUNDS[scene.background].water
    shore = scene.horizon + water * (scene.height - scene.horizon)
    return obj.category == "boat" and water > 0 and obj.ground < shore
