"""Feature maps and similarities made visible: colours, heat over a picture, and a matrix.

Features have hundreds of channels and a figure has three colours. Principal components choose
the three directions in which the features differ most; that they are shared by all maps of a
figure makes one colour mean one thing in all of them.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from risbook.errors import DataError
from risbook.figures.overlays import as_image, show_referring, wrap_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]


def pca_colours(maps: Any, *, inside: Any = None, spread: float = 0.02) -> Floats:
    """Paint the first three principal components of feature maps as red, green and blue.

    The components are those of all cells of all maps together, without weighing: nearby colours
    are similar features, in one map and between two.

    Args:
        maps: Features (N, C, h, w) with C at least 3; array or tensor.
        inside: Cells (N, h, w) that components and ranges of colours are taken from, true or
            false; all of them if None. Padding, which is far from everything else, would
            otherwise use up the colours.
        spread: Share of the cells that may be over or under the range of a colour, on each side.

    Returns:
        (N, h, w, 3) from 0 to 1.

    Raises:
        DataError: ``maps`` has another shape.

    >>> pca_colours(np.arange(96.0).reshape(2, 3, 4, 4)).shape
    (2, 4, 4, 3)
    """
    features = _floats(maps)
    if features.ndim != 4 or features.shape[1] < 3:
        raise DataError(f"pca_colours: maps are {features.shape}, not (N, C, h, w) with C >= 3.")
    count, channels, height, width = features.shape
    cells = np.moveaxis(features, 1, -1).reshape(-1, channels)
    counted = np.full(len(cells), True) if inside is None else np.ravel(inside).astype(bool)
    if len(counted) != len(cells) or counted.sum() < 3:
        raise DataError(
            f"pca_colours: inside is {np.shape(inside)} with {int(counted.sum())} cells, not "
            f"{(count, height, width)} with at least 3."
        )
    cells = cells - cells[counted].mean(axis=0)
    spreads = cells[counted].T @ cells[counted]
    directions = np.linalg.eigh(spreads)[1][:, :-4:-1]  # (C, 3), largest first
    # A component's sign is arbitrary; the entry of largest size decides, so that reruns agree.
    largest = np.abs(directions).argmax(axis=0)
    directions = directions * np.sign(directions[largest, np.arange(3)])
    scores = cells @ directions
    low, high = np.quantile(scores[counted], [spread, 1 - spread], axis=0)
    colours = (scores - low) / np.maximum(high - low, 1e-12)
    clipped: Floats = np.clip(colours, 0.0, 1.0)
    return clipped.reshape(count, height, width, 3)


def show_heat(
    image: Any,
    heat: Any,
    *,
    ax: "Axes",
    title: str | None = None,
    limits: tuple[float, float] | None = None,
    alpha: float = 0.65,
) -> None:
    """Lay a map of numbers over a picture: dark is low, yellow is high.

    Args:
        image: Picture, as :func:`risbook.figures.show_referring` takes it.
        heat: Numbers (h, w) on any grid that covers the picture; each cell becomes a tile.
        ax: Axes to draw into.
        title: Words above; wrapped, never cut.
        limits: Lowest and highest number of the colours; the map's own without them.
        alpha: How much of the colours covers the picture, 0 to 1.

    Raises:
        DataError: ``heat`` is no map.
    """
    pixels = as_image(image)
    values = _floats(heat)
    if values.ndim != 2:
        raise DataError(f"show_heat: the heat is {values.shape}, not (h, w).")
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


def heat_panels(
    cosines: Any, picture: Any, size: int, titles: Sequence[str]
) -> list[dict[str, Any]]:
    """Make panels of several responses on one picture, all on one scale of colours.

    The scale goes from the lowest to the highest value of the patches that lie on the picture as a
    whole; those of the letterbox's empty strips do not count.

    Args:
        cosines: (h, w, K): a map for each of K sentences, on the patches of the letterboxed square.
        picture: Picture, uint8 (height, width, 3).
        size: Side of that square, pixels.
        titles: K titles.

    Returns:
        K samples for :func:`panels`.

    Raises:
        DataError: the numbers of maps and titles do not agree.
    """
    # Imported here because it loads torch, which a figure may not need.
    from risbook.probing.encoding import inside, to_picture

    if cosines.ndim != 3 or cosines.shape[-1] != len(titles):
        raise DataError(f"heat_panels: maps {tuple(cosines.shape)} and {len(titles)} titles.")
    heats = to_picture(cosines, picture, size)
    on_it = inside([picture], size, size // cosines.shape[0])[0]
    counted = cosines[on_it] if on_it.any() else cosines
    limits = float(counted.min()), float(counted.max())
    return [
        {"image": picture, "heat": heat, "limits": limits, "title": title}
        for heat, title in zip(heats.unbind(dim=-1), titles, strict=True)
    ]


def panels(
    samples: Sequence[Mapping[str, Any]], *, columns: int = 4, cell: float = 2.3
) -> "Figure":
    """Draw pictures, heat and colours of features side by side.

    Args:
        samples: Each a mapping with ``image`` (a picture, or colours), and where wanted ``heat``
            (with ``limits``), ``truth``, ``prediction`` and ``title``; see :func:`show_heat` and
            :func:`risbook.figures.show_referring`.
        columns: Panels in a row.
        cell: Width of a panel, inches.

    Returns:
        The figure; end the cell with ``plt.show()``.

    Raises:
        DataError: ``samples`` is empty, or a sample is malformed.
    """
    import matplotlib.pyplot as plt

    if not samples:
        raise DataError("panels: there is nothing to draw; `samples` is empty.")
    columns = min(columns, len(samples))
    titles = [wrap_title(str(one.get("title") or ""), int(cell * 11)) for one in samples]
    heights = []
    for start in range(0, len(samples), columns):
        row = range(start, min(start + columns, len(samples)))
        shapes = [as_image(samples[n]["image"]).shape for n in row]
        tallest = max(cell * shape[0] / shape[1] for shape in shapes)
        lines = max(titles[n].count("\n") + 1 if titles[n] else 0 for n in row)
        heights.append(tallest + 0.19 * lines + 0.08)
    figure, axes = plt.subplots(
        len(heights),
        columns,
        figsize=(cell * columns, sum(heights)),
        gridspec_kw={"height_ratios": heights},
        squeeze=False,
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, sample, title in zip(axes.flat, samples, titles, strict=False):
        if sample.get("heat") is not None:
            show_heat(sample["image"], sample["heat"], ax=ax, limits=sample.get("limits"))
        else:
            show_referring(sample["image"], sample.get("truth"), sample.get("prediction"), ax=ax)
        ax.set_title(title)
    return figure


def show_matrix(
    values: Any, *, pictures: Sequence[Any], sentences: Sequence[str], cell: float = 0.52
) -> "Figure":
    """Draw the similarity of every picture with every sentence, the right answers framed.

    Args:
        values: (B, B): a row a picture, a column a sentence; those on the diagonal belong together.
        pictures: B pictures, drawn at the left of their rows.
        sentences: B sentences, written above their columns.
        cell: Side of a cell, inches.

    Returns:
        The figure; end the cell with ``plt.show()``.

    Raises:
        DataError: the numbers of values, pictures and sentences do not agree.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    from risbook.figures.palette import VERMILION

    table = _floats(values)
    count = len(pictures)
    if table.shape != (count, count) or len(sentences) != count:
        raise DataError(
            f"show_matrix: the values are {table.shape}, with {count} pictures and "
            f"{len(sentences)} sentences; give as many of each."
        )
    longest = max(len(one) for one in sentences)
    wide, tall = cell * (count + 1.2) + 1.3, cell * count + 0.078 * longest + 0.15
    figure, ax = plt.subplots(figsize=(wide, tall))
    drawn = ax.imshow(table, cmap="viridis")
    ax.set_xlim(-1.65, count - 0.5)
    for row, picture in enumerate(pictures):
        ax.imshow(as_image(picture), extent=(-1.55, -0.6, row + 0.475, row - 0.475))
        ax.add_patch(Rectangle((row - 0.5, row - 0.5), 1, 1, fill=False, ec=VERMILION, lw=2))
    ax.set_xlim(-1.65, count - 0.48)
    ax.set_ylim(count - 0.48, -0.52)
    ax.xaxis.tick_top()
    plain = [one.replace("$", r"\$") for one in sentences]
    ax.set_xticks(range(count), plain, rotation=55, ha="left", rotation_mode="anchor")
    ax.set_yticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    figure.colorbar(drawn, ax=ax, shrink=0.8, aspect=30, label="cosine", pad=0.01)
    return figure


def _floats(values: Any) -> Floats:
    if hasattr(values, "detach"):  # a torch tensor, perhaps with a gradient
        values = values.detach().cpu().float().numpy()
    return np.asarray(values, dtype=np.float64)
