"""Figures: masks on pictures, training curves, and one interactive control.

matplotlib is imported when the first figure is drawn, never before.
"""

from risbook.figures.curves import plot_log, smooth
from risbook.figures.interactive import Frames
from risbook.figures.overlays import grid, show_referring, wrap_title
from risbook.figures.paint import paint_mask
from risbook.figures.palette import CYCLE, ROLES, rgba, use_style

__all__ = [
    "CYCLE",
    "ROLES",
    "Frames",
    "grid",
    "paint_mask",
    "plot_log",
    "rgba",
    "show_referring",
    "smooth",
    "use_style",
    "wrap_title",
]
