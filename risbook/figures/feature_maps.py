"""Feature maps and similarities as figures: PCA colours, a heatmap over an image, and a matrix.

Principal components choose the three directions in which features differ most. They are shared by
all maps of a figure, so that one colour means one thing in all of them.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from risbook.errors import DataError
from risbook.figures.overlays import as_image, wrap_title
from risbook.figures.palette import VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]


def pca_colours(maps: Any, *, valid: Any = None, spread: float = 0.02) -> Floats:
    """Map the first three principal components of feature maps to red, green and blue.

    Args:
        maps: features (N, C, h, w) with C at least 3; array or tensor.
        valid: cells (N, h, w) that components and ranges of colours are taken from; all of them
            if None. Padding is far from everything else and would use up the colours.
        spread: share of the cells that may be over or under the range of a colour, on each side.

    Returns:
        (N, h, w, 3) from 0 to 1.

    Raises:
        DataError: `maps` or `valid` has another shape.

    >>> pca_colours(np.arange(96.0).reshape(2, 3, 4, 4)).shape
    (2, 4, 4, 3)
    """
    features = _floats(maps)
    if features.ndim != 4 or features.shape[1] < 3:
        raise DataError(f"pca_colours: maps are {features.shape}, not (N, C, h, w) with C >= 3.")
    count, channels, *size = features.shape
    cells = np.moveaxis(features, 1, -1).reshape(-1, channels)
    counted = np.full(len(cells), True) if valid is None else np.ravel(valid).astype(bool)
    if len(counted) != len(cells) or counted.sum() < 3:
        raise DataError(
            f"pca_colours: valid is {np.shape(valid)} with {int(counted.sum())} cells, not "
            f"{(count, *size)} with at least 3."
        )
    cells = cells - cells[counted].mean(axis=0)
    spreads = cells[counted].T @ cells[counted]
    directions = np.linalg.eigh(spreads)[1][:, :-4:-1]  # (C, 3), largest first
    # A component's sign is arbitrary; the entry of largest size decides, so that reruns agree.
    largest = np.abs(directions).argmax(axis=0)
    directions = directions * np.sign(directions[largest, np.arange(3)])
    scores = cells @ directions
    low, high = np.quantile(scores[counted], [spread, 1 - spread], axis=0)
    colours: Floats = (scores - low) / np.maximum(high - low, 1e-12)
    return colours.clip(0.0, 1.0).reshape(count, *size, 3)


def show_heatmap(
    image: Any,
    heat: Any,
    *,
    ax: "Axes",
    title: str | None = None,
    limits: tuple[float, float] | None = None,
    alpha: float = 0.65,
) -> None:
    """Lay a map of numbers over an image: dark is low, yellow is high.

    Args:
        image: as `show_referring` takes it.
        heat: numbers (h, w) on any grid that covers the image; each cell becomes a tile.
        ax: axes to draw into.
        title: wrapped, never cut.
        limits: lowest and highest number of the colours; the map's own without them.
        alpha: opacity of the colours, 0 to 1.

    Raises:
        DataError: `heat` is no map.
    """
    pixels = as_image(image)
    values = _floats(heat)
    if values.ndim != 2:
        raise DataError(f"show_heatmap: the heat is {values.shape}, not (h, w).")
    height, width = pixels.shape[:2]
    low, high = limits or (float(values.min()), float(values.max()))
    grey = pixels[..., :3] @ np.array([0.299, 0.587, 0.114])
    ax.imshow(grey, cmap="gray", interpolation="lanczos")
    frame = (-0.5, width - 0.5, height - 0.5, -0.5)
    ax.imshow(values, cmap="viridis", vmin=low, vmax=high, alpha=alpha, extent=frame)
    if title is not None:
        ax.set_title(wrap_title(title, 24))
    ax.set_axis_off()
    ax.set_anchor("S")


def heatmap_panels(
    cosines: Any, image: Any, size: int, titles: Sequence[str]
) -> list[dict[str, Any]]:
    """Make the panels of several responses to one image, for `show_panels`.

    All have one scale of colours: from the lowest to the highest value of the patches that lie on
    the image as a whole. Those of the letterbox's padding do not count.

    Args:
        cosines: (h, w, K), K maps on the patches of the letterboxed square.
        image: uint8 (H, W, 3).
        size: side of that square, pixels.
        titles: K titles.

    Raises:
        DataError: the numbers of maps and titles differ.
    """
    # Imported here because it loads torch, which a figure may not need.
    from risbook.probing.encoding import upsample_to_image, valid_patches

    if cosines.ndim != 3 or cosines.shape[-1] != len(titles):
        raise DataError(f"heatmap_panels: maps {tuple(cosines.shape)} and {len(titles)} titles.")
    heats = upsample_to_image(cosines, image, size)
    valid = valid_patches([image], size, size // cosines.shape[0])[0]
    counted = cosines[valid] if valid.any() else cosines
    limits = float(counted.min()), float(counted.max())
    return [
        {"image": image, "heat": heat, "limits": limits, "title": title}
        for heat, title in zip(heats.unbind(dim=-1), titles, strict=True)
    ]


def show_matrix(
    values: Any, *, images: Sequence[Any], sentences: Sequence[str], cell: float = 0.52
) -> "Figure":
    """Draw the similarity of every image with every sentence; the pairs are framed.

    Args:
        values: (B, B), a row per image, a column per sentence; pairs lie on the diagonal.
        images: B images, drawn at the left of their rows.
        sentences: B sentences, written above their columns.
        cell: side of a cell, inches.

    Returns:
        The figure; end the cell with ``plt.show()``.

    Raises:
        DataError: the numbers of values, images and sentences differ.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    matrix = _floats(values)
    count = len(images)
    if matrix.shape != (count, count) or len(sentences) != count:
        raise DataError(
            f"show_matrix: the values are {matrix.shape}, with {count} images and "
            f"{len(sentences)} sentences; give as many of each."
        )
    longest = max(map(len, sentences))
    wide, tall = cell * (count + 1.2) + 1.3, cell * count + 0.078 * longest + 0.15
    figure, ax = plt.subplots(figsize=(wide, tall))
    coloured = ax.imshow(matrix, cmap="viridis")
    for row, image in enumerate(images):
        ax.imshow(as_image(image), extent=(-1.55, -0.6, row + 0.475, row - 0.475))
        ax.add_patch(Rectangle((row - 0.5, row - 0.5), 1, 1, fill=False, ec=VERMILION, lw=2))
    ax.set_xlim(-1.65, count - 0.48)
    ax.set_ylim(count - 0.48, -0.52)
    ax.xaxis.tick_top()
    escaped = [sentence.replace("$", r"\$") for sentence in sentences]
    ax.set_xticks(range(count), escaped, rotation=55, ha="left", rotation_mode="anchor")
    ax.set_yticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    figure.colorbar(coloured, ax=ax, shrink=0.8, aspect=30, label="cosine", pad=0.01)
    return figure


def _floats(values: Any) -> Floats:
    if hasattr(values, "detach"):  # a torch tensor, perhaps with a gradient
        values = values.detach().cpu().float()
    return np.asarray(values, dtype=np.float64)
