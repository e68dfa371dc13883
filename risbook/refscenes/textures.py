"""Textures and patterns: computed once per process from fixed seeds, then cut to size."""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

# Materials: rows of `textures()`. SAME continues the part drawn last.
SAME, SKIN, CLOTH, FUR, WOOL, WOOD, METAL, GLASS, CLAY = -1, 0, 1, 2, 3, 4, 5, 6, 7

#: Side of a texture, pixels; textures repeat beyond it.
TEXTURE_SIZE = 160


def smooth_noise(size: int, cells: int, rng: np.random.Generator) -> Floats:
    """Smooth noise that tiles: random values on a (cells, cells) grid, enlarged bicubically.

    Returns:
        float32 (size, size), mean 0 and standard deviation 1.
    """
    grid = np.pad(rng.standard_normal((cells, cells)).astype(np.float32), 2, mode="wrap")
    box = (2.0, 2.0, 2.0 + cells, 2.0 + cells)
    image = Image.fromarray(grid).resize((size, size), Image.Resampling.BICUBIC, box=box)
    noise = np.asarray(image, dtype=np.float32)
    return np.asarray((noise - noise.mean()) / noise.std(), dtype=np.float32)


@lru_cache(maxsize=4)
def textures(scale: int = 1) -> Floats:
    """Relative brightness of each material, in the order SKIN, CLOTH, ..., CLAY.

    Args:
        scale: of the image. Blots, threads and reflections grow with it; the grain stays a pixel.

    Returns:
        float32 (8, 160 scale, 160 scale), values around 0.
    """
    rng = np.random.default_rng(20240517)
    size = scale * TEXTURE_SIZE
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    if scale > 1:
        y, x = y // scale, x // scale
    grain = rng.standard_normal((size, size)).astype(np.float32)
    blots = smooth_noise(size, 20, rng)
    fine = smooth_noise(size, 64, rng)
    strokes = sum(np.roll(grain, (k, k // 2), axis=(0, 1)) for k in range(4)) / 2.0
    fibres = sum(np.roll(grain, k, axis=1) for k in range(10)) / math.sqrt(10)
    weave = np.where((x + y) % 2 > 0, 1.0, -1.0) + np.where(y % 3 > 1, 0.8, -0.4)
    rows = [
        0.010 * grain + 0.015 * blots,
        0.028 * weave + 0.022 * grain,
        0.052 * strokes + 0.025 * blots,
        0.085 * fine + 0.025 * grain,
        0.06 * fibres + 0.02 * grain,
        0.012 * grain + 0.03 * blots,
        0.09 * np.sign(np.sin((x + 1.4 * y) / 5.0)) * (np.sin((x + 1.4 * y) / 9.0) > 0.2),
        0.022 * grain + 0.035 * blots,
    ]
    return np.stack([np.asarray(row, dtype=np.float32) for row in rows])


@lru_cache(maxsize=64)
def pattern_mask(name: str, period: int, side: int) -> Bools:
    """Where a pattern has its second colour: bool (side, side), tile pixels."""
    y, x = np.mgrid[0:side, 0:side]
    if name == "striped":
        return np.asarray(y % period >= period * 0.64)
    row = y // period
    dx = (x + (row % 2) * (period // 2)) % period - period / 2 + 0.5
    dy = y % period - period / 2 + 0.5
    return np.asarray(dx * dx + dy * dy < (0.3 * period) ** 2)


@lru_cache(maxsize=4)
def ground_noise(scale: int = 1) -> Floats:
    """Grain with soft blots for walls and grounds: float32 (256 scale, 256 scale), around 0."""
    rng = np.random.default_rng(77)
    side = 256 * scale
    grain = rng.standard_normal((side, side)).astype(np.float32)
    mixed = 0.45 * grain + 0.6 * smooth_noise(side, 48, rng) + 0.5 * smooth_noise(side, 12, rng)
    return np.asarray(mixed, dtype=np.float32)


@lru_cache(maxsize=4)
def sensor_noise(scale: int = 1) -> Floats:
    """Noise as of a camera's sensor: float32 (256 scale, 256 scale), grey levels around 0."""
    noise = np.random.default_rng(4711).standard_normal((256 * scale, 256 * scale)) * 2.4
    return noise.astype(np.float32)
