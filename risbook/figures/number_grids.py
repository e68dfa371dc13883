"""Small maps whose numbers are written into their cells."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from risbook.errors import DataError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show_number_grids(grids: Mapping[str, Any], *, label: str, digits: int = 2) -> "Figure":
    """Draw small maps side by side, with one scale of colours that is white at 0.

    Args:
        grids: title -> values (H, W), arrays or tensors.
        label: what the values are, for the colour bar.
        digits: decimals of the numbers.

    Returns:
        The figure; end the cell with ``plt.show()``.

    Raises:
        DataError: there is no map, or one does not have two axes.
    """
    import matplotlib.pyplot as plt

    arrays = {
        title: np.asarray(values.detach() if hasattr(values, "detach") else values)
        for title, values in grids.items()
    }
    if not arrays or any(array.ndim != 2 for array in arrays.values()):
        raise DataError("show_number_grids: give at least one map, each (H, W).")
    # Half of the scale is free, so that black numbers stay legible.
    limit = 1.6 * max(float(np.abs(array).max()) for array in arrays.values()) or 1.0
    figure, axes = plt.subplots(
        1, len(arrays), figsize=(4.1 * len(arrays), 2.6), layout="constrained", squeeze=False
    )
    for ax, (title, array) in zip(axes[0], arrays.items(), strict=True):
        heat = ax.imshow(array, vmin=-limit, vmax=limit, cmap="PuOr")
        for (row, column), value in np.ndenumerate(array):
            text = f"{value:.{digits}f}"
            ax.text(column, row, text, ha="center", va="center", fontsize=9)
        ax.set(title=title, xticks=[], yticks=[])
    figure.colorbar(heat, ax=axes, label=label)
    return figure
