"""Colours that colour-blind readers can tell apart, and one style for every figure.

The colours are the eight of Okabe and Ito, "Color Universal Design" (2008), chosen so that
they stay distinct for readers with protanopia, deuteranopia and tritanopia.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#6B7280"

#: Cycle for lines and bars, strongest contrast on white first.
CYCLE: tuple[str, ...] = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)

#: What a colour means in every figure of the book.
ROLES: Mapping[str, str] = MappingProxyType(
    {"truth": YELLOW, "prediction": SKY, "error": VERMILION, "loss": BLUE, "miou": GREEN}
)

_STYLE: dict[Any, Any] = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "figure.dpi": 100,
    "savefig.dpi": 100,
    "figure.constrained_layout.use": True,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.color": "#D1D5DB",
    "grid.linewidth": 0.6,
    "image.interpolation": "nearest",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "hatch.linewidth": 0.8,
}


def use_style() -> None:
    """Set the book's figure style for the rest of the session.

    White is set explicitly because a transparent figure is unreadable on a dark page, and the
    font is the one that matplotlib ships, so that every machine draws the same figure.
    """
    import matplotlib as mpl
    from cycler import cycler

    mpl.rcParams.update(_STYLE)
    mpl.rcParams["axes.prop_cycle"] = cycler(color=list(CYCLE))


def rgba(colour: str, alpha: float = 1.0) -> tuple[float, float, float, float]:
    """Turn ``#RRGGBB`` and an opacity into four floats in [0, 1].

    >>> rgba("#FF0000", 0.5)
    (1.0, 0.0, 0.0, 0.5)
    """
    red, green, blue = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return red, green, blue, alpha
