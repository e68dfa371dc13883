"""The paints of the drawn world: one ink for every colour word, and how inks are mixed."""

from functools import lru_cache

RGB = tuple[int, int, int]

#: Colour word -> paint.
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
    """Blend two inks.

    Args:
        first: ink at share 0.
        second: ink at share 1.
        share: part of `second`, in [0, 1].

    Returns:
        The blended ink.

    >>> mix((0, 0, 0), (200, 100, 50), 0.5)
    (100, 50, 25)
    """
    a, b, c = (round(p + (q - p) * share) for p, q in zip(first, second, strict=True))
    return a, b, c


def darker(ink: RGB, share: float = 0.25) -> RGB:
    """Move an ink towards a warm black; `share` in [0, 1] says how far."""
    return mix(ink, (38, 28, 40), share)


def lighter(ink: RGB, share: float = 0.3) -> RGB:
    """Move an ink towards a warm white; `share` in [0, 1] says how far."""
    return mix(ink, (255, 252, 244), share)


def pattern_rgb(ink: RGB) -> RGB:
    """The ink of stripes and spots on a surface: clearly lighter, or darker on light surfaces."""
    bright = 0.3 * ink[0] + 0.59 * ink[1] + 0.11 * ink[2]
    if bright > 215:
        return mix(ink, (58, 66, 92), 0.8)
    if bright > 165:
        return mix(ink, (120, 50, 40), 0.55)
    return lighter(ink, 0.78 if bright > 70 else 0.62)
