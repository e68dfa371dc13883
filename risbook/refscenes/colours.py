"""The colour of every colour word, and how colours are mixed."""

from functools import lru_cache

RGB = tuple[int, int, int]

#: colour word -> colour
RGB_OF: dict[str, RGB] = {
    "red": (205, 48, 46),
    "orange": (240, 134, 38),
    "yellow": (247, 210, 66),
    "green": (58, 148, 74),
    "blue": (48, 100, 198),
    "purple": (132, 72, 172),
    "pink": (244, 150, 184),
    "brown": (132, 84, 50),
    "black": (52, 52, 60),
    "white": (246, 244, 238),
    "gray": (146, 149, 154),
}


@lru_cache(maxsize=8192)
def mix(first: RGB, second: RGB, share: float) -> RGB:
    """Interpolate between two colours; `share` in [0, 1] is the part of the second.

    >>> mix((0, 0, 0), (200, 100, 50), 0.5)
    (100, 50, 25)
    """
    r, g, b = (round(p + (q - p) * share) for p, q in zip(first, second, strict=True))
    return r, g, b


def darker(rgb: RGB, share: float = 0.25) -> RGB:
    """Mix a colour with a warm black."""
    return mix(rgb, (38, 28, 40), share)


def lighter(rgb: RGB, share: float = 0.3) -> RGB:
    """Mix a colour with a warm white."""
    return mix(rgb, (255, 252, 244), share)


def pattern_rgb(rgb: RGB) -> RGB:
    """The colour of stripes and spots: clearly lighter, or darker on light surfaces."""
    luma = 0.3 * rgb[0] + 0.59 * rgb[1] + 0.11 * rgb[2]
    if luma > 215:
        return mix(rgb, (58, 66, 92), 0.8)
    if luma > 165:
        return mix(rgb, (120, 50, 40), 0.55)
    return lighter(rgb, 0.78 if luma > 70 else 0.62)
