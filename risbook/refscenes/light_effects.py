"""Shadows, lamp light and water around the objects.

All work in place on images float32 (H, W, 3), 0 to 255. ``scale`` is how many times its usual
size the image has.
"""

import numpy as np

from risbook.refscenes.scene_types import SceneObject
from risbook.refscenes.sprite_canvas import Sprite
from risbook.refscenes.textures import Bools, Floats


def _foot_span(obj: SceneObject, sprite: Sprite) -> tuple[float, float]:
    """Left and right end of what touches the ground, image columns."""
    height, width = sprite.mask.shape
    lowest = sprite.mask[max(0, sprite.foot[1] - max(3, height // 8)) :]
    columns = np.flatnonzero(lowest.any(0)) if lowest.any() else (0, width - 1)
    origin = round(obj.x) - sprite.foot[0]
    return float(origin + columns[0]), float(origin + columns[-1] + 1)


def _paraboloid(image: Floats, x: float, y: float, rx: float, ry: float) -> tuple[Floats, Floats]:
    """A paraboloid over an ellipse, 1 at its centre (x, y) and 0 outside.

    Returns:
        The window around the ellipse, a view of the image (h, w, 3), and the paraboloid (h, w),
        both float32; empty where the ellipse lies outside the image.
    """
    y0, y1 = np.clip((int(y - ry), int(y + ry) + 2), 0, image.shape[0])
    x0, x1 = np.clip((int(x - rx), int(x + rx) + 2), 0, image.shape[1])
    dy = ((np.arange(y0, y1, dtype=np.float32) - np.float32(y)) / np.float32(ry)) ** 2
    dx = ((np.arange(x0, x1, dtype=np.float32) - np.float32(x)) / np.float32(rx)) ** 2
    return image[y0:y1, x0:x1], np.maximum(0, 1 - dy[:, None] - dx[None])


def add_shadow(
    image: Floats, obj: SceneObject, sprite: Sprite, light: int, time: str, scale: int = 1
) -> None:
    """Darken the ground under an object, and to the side away from the light."""
    left, right = _foot_span(obj, sprite)
    length = {"evening": 0.55, "night": 0.12}.get(time, 0.28) * obj.height
    half = (right - left) / 2 + 2 * scale
    centre = (left + right) / 2
    depth = max(2.5 * scale, min(0.22 * half + 1.5 * scale, 7.0 * scale))
    strength = 0.5 if time != "night" else 0.42
    for x, rx, ry, share in (
        (centre - light * length * 0.5, half * 0.9 + length * 0.6, depth * 0.9, 0.55),
        (centre, half, depth, 0.8),
    ):
        window, height = _paraboloid(image, x, obj.ground - 0.6 * scale, rx, ry)
        dark = height * np.float32(strength * share)
        window *= 1 - dark[..., None] * np.array((1.0, 0.95, 0.8), np.float32)


def add_lamp_light(image: Floats, obj: SceneObject, time: str) -> None:
    """Brighten what is behind a lamp; by day a lamp is off."""
    strength = {"night": 62.0, "evening": 36.0, "": 14.0}.get(time)
    if strength is None:
        return
    radius = 0.62 * obj.height
    window, height = _paraboloid(image, obj.x, obj.ground - 0.78 * obj.height, radius, radius)
    bright = height**2 * np.float32(strength)
    window += bright[..., None] * np.array((1.0, 0.84, 0.46), np.float32)


def add_reflection(image: Floats, obj: SceneObject, sprite: Sprite) -> None:
    """Mirror a boat in the water, paler with the distance from it."""
    ground = round(obj.ground)
    foot_row = sprite.foot[1]
    depth = min(foot_row // 2, image.shape[0] - ground)
    left = round(obj.x) - sprite.foot[0]
    x0, x1 = max(0, left), min(image.shape[1], left + sprite.mask.shape[1])
    if depth <= 0 or x1 <= x0:
        return
    tile = slice(foot_row - depth, foot_row), slice(x0 - left, x1 - left)
    fade = np.linspace(0.5, 0.0, depth, dtype=np.float32)[:, None, None]
    window = image[ground : ground + depth, x0:x1]
    window += (0.8 * sprite.rgb[tile][::-1] - window) * sprite.alpha[tile][::-1] * fade


def add_waterline(
    image: Floats, is_background: Bools, obj: SceneObject, sprite: Sprite, scale: int = 1
) -> None:
    """Brighten the line where a hull meets the water, outside of every mask."""
    left, right = _foot_span(obj, sprite)
    first = round(obj.ground) + scale
    x0, x1 = max(0, int(left) - 3 * scale), max(0, min(image.shape[1], int(right) + 4 * scale))
    for y in range(first, min(first + scale, image.shape[0])):
        line = image[y, x0:x1]
        line += (235 - line) * 0.4 * is_background[y, x0:x1, None]
