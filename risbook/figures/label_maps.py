"""Maps of labels over an image, and numbers on its objects."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from risbook.errors import DataError
from risbook.figures.overlays import as_image, show_referring
from risbook.figures.palette import BLUE, GREEN, ORANGE, PURPLE, VERMILION, rgba

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Colours of the labels 1, 2, ...; neighbours in the list differ most.
LABEL_COLOURS = (BLUE, PURPLE, VERMILION, ORANGE, GREEN)


def show_label_map(
    image: Any,
    labels: NDArray[np.integer[Any]],
    names: Mapping[int, str],
    *,
    ax: "Axes",
    title: str = "",
    colours: Sequence[str] = LABEL_COLOURS,
) -> None:
    """Fill the pixels of each label with a colour, and list the labels below the image.

    Args:
        image: as for `show_referring`.
        labels: whole numbers (H, W); 0 is background and stays as it is.
        names: label from 1 on -> its name in the legend.
        ax: axes to draw into.
        title: stands above the image; line breaks are kept.
        colours: one "#RRGGBB" per label.

    Raises:
        DataError: the map and the image differ in size, or a label has no colour.
    """
    size = as_image(image).shape[:2]
    if labels.shape != size:
        raise DataError(f"labels: the map is {labels.shape}, but the image is {size} (H, W).")
    show_referring(image, ax=ax)
    for label, name in names.items():
        if not 1 <= label <= len(colours):
            raise DataError(f"names: label {label} has no colour; labels are 1 to {len(colours)}.")
        fill = np.zeros((*size, 4))  # (H, W, RGBA)
        fill[labels == label] = rgba(colours[label - 1], 0.85)
        ax.imshow(fill)
        ax.plot([], [], "s", color=colours[label - 1], label=f"{label}: {name}", markersize=9)
    ax.set_title(title)
    ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=2,
        columnspacing=1.2,
        handletextpad=0.2,
    )


def write_numbers(ax: "Axes", masks: Sequence[NDArray[np.bool_]], *, fontsize: float = 12) -> None:
    """Write 1, 2, 3, ... in white circles on objects.

    Args:
        ax: axes that show the image.
        masks: one mask (H, W) per object, none of them empty.
        fontsize: of the numbers, points.
    """
    circle = {"boxstyle": "circle", "facecolor": "white", "edgecolor": "black"}
    for number, mask in enumerate(masks, start=1):
        x, y = inner_point(mask)
        ax.text(
            x, y, str(number), fontsize=fontsize, weight="bold", ha="center", va="center",
            bbox=circle,
        )  # fmt: skip


def inner_point(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """A point (x, y) inside a mask: the middle of its middle row.

    >>> inner_point(np.array([[0, 0, 0], [0, 1, 1], [0, 1, 1], [0, 1, 1]], dtype=bool))
    (1.5, 2.0)
    """
    rows, columns = np.nonzero(mask)
    middle = int(np.median(rows))
    return float(np.median(columns[rows == middle])), float(middle)
