"""Masks over an image: ground truth is an outline, a prediction a fill, an error a hatch.

Shape and texture carry the meaning, so that the figure also reads without colour.
"""

import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from risbook.data.images import read_image
from risbook.data.letterbox import CLIP_MEAN, CLIP_STD
from risbook.errors import DataError
from risbook.figures.palette import ROLES, rgba
from risbook.keyword_aliases import keyword_aliases

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Hatch of wrong pixels.
HATCH = "//"


@keyword_aliases(
    {
        "target": "truth",
        "gt": "truth",
        "ground_truth": "truth",
        "mask": "prediction",
        "pred": "prediction",
        "text": "title",
        "sentence": "title",
    },
    name="risbook.figures.show_referring",
)
def show_referring(
    image: Any,
    truth: Any = None,
    prediction: Any = None,
    *,
    error: Any = None,
    title: str | None = None,
    ax: "Axes | None" = None,
    legend: bool = False,
    grid: int | None = None,
) -> "Figure":
    """Draw an image with the masks of one expression; returns the figure.

    Args:
        image: path, PIL image, array or tensor; (H, W, 3) or (3, H, W); uint8 in 0..255, float
            in 0..1, or normalised as the items of `risbook.data.load` are.
        truth: ground-truth mask (H, W), drawn as a solid outline.
        prediction: predicted mask (H, W), drawn as a translucent fill with a thin white edge.
        error: mask (H, W) of wrong pixels, drawn as a hatch; True means the pixels where
            `truth` and `prediction` differ.
        title: usually the expression; wrapped, never cut.
        ax: axes to draw into; a new figure is made without them.
        legend: whether to say below the image what outline, fill and hatch mean.
        grid: side of the cells of a grid that is drawn over the image, pixels.

    Raises:
        DataError: a mask and the image differ in size.
    """
    import matplotlib.pyplot as plt

    pixels = as_image(image)
    height, width = pixels.shape[:2]
    if ax is None:
        wide = 4.2 * min(1.0, width / height)
        lines = wrap_title(title or "", int(wide * 11))
        tall = wide * height / width + title_inches(lines) + 0.3 * legend
        _, ax = plt.subplots(figsize=(wide, tall))
        ax.set_title(lines)
    elif title is not None:
        ax.set_title(wrap_title(title))
    ax.imshow(pixels, interpolation="lanczos")
    truth_mask = as_mask(truth, (height, width), "truth")
    prediction_mask = as_mask(prediction, (height, width), "prediction")
    if error is True:
        if truth_mask is None or prediction_mask is None:
            raise DataError("show_referring: error=True needs both truth and prediction.")
        error_mask: NDArray[np.bool_] | None = truth_mask ^ prediction_mask
    else:
        error_mask = as_mask(None if error is False else error, (height, width), "error")
    if prediction_mask is not None:
        fill = np.zeros((height, width, 4))
        fill[prediction_mask] = rgba(ROLES["prediction"], 0.55)
        ax.imshow(fill)
        if prediction_mask.any():
            # The fill alone is nearly invisible on an object of its own colour.
            _outline(ax, prediction_mask, "white", width=0.8, dark_width=1.7)
    if error_mask is not None and error_mask.any():
        _hatch(ax, error_mask)
    if truth_mask is not None and truth_mask.any():
        _outline(ax, truth_mask, ROLES["truth"], width=1.8, dark_width=3.4)
    if grid is not None:
        _draw_grid(ax, (height, width), grid)
    ax.set_xlim(-0.5, width - 0.5)
    ax.set_ylim(height - 0.5, -0.5)
    ax.set_axis_off()
    ax.set_anchor("S")  # all spare height goes above the image, to the title
    masks = (truth_mask, prediction_mask, error_mask)
    handles = legend_handles(*(mask is not None for mask in masks)) if legend else []
    if handles:
        below = (0.5, -0.01)
        ax.legend(handles=handles, loc="upper center", bbox_to_anchor=below, ncols=len(handles))
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure


def wrap_title(title: str, width: int = 30) -> str:
    """Break a title into lines of at most `width` characters, losing none of it.

    A number stays on the line of the word before it, so a line can be longer than `width`.

    >>> wrap_title("the dog on the left", 11)
    'the dog on\\nthe left'
    >>> wrap_title("the rightmost vase, IoU 0.03", 25)
    'the rightmost vase,\\nIoU 0.03'
    """
    # `textwrap` breaks no line at a no-break space.
    joined = re.sub(r" (?=[+-]?[.\d])", "\N{NO-BREAK SPACE}", " ".join(title.split()))
    lines = textwrap.wrap(joined, max(width, 8), break_long_words=False)
    text = "\n".join(lines).replace("\N{NO-BREAK SPACE}", " ")
    return text.replace("$", r"\$")  # a dollar would otherwise start mathematics


def as_image(image: Any) -> NDArray[Any]:
    """Bring a path, PIL image, array or tensor to an array (H, W, 3) that matplotlib draws."""
    if isinstance(image, str | Path):
        return read_image(image, upright=True)
    pixels = _array(image)
    if pixels.ndim == 3 and pixels.shape[0] == 3 and pixels.dtype.kind == "f" and pixels.min() < 0:
        mean, std = np.array(CLIP_MEAN)[:, None, None], np.array(CLIP_STD)[:, None, None]
        pixels = pixels * std + mean  # an item of `risbook.data.load`, which is normalised
    if pixels.ndim == 2:
        pixels = np.stack([pixels] * 3, axis=-1)
    if pixels.ndim == 3 and pixels.shape[0] == 3 and pixels.shape[-1] not in (3, 4):
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim != 3 or pixels.shape[-1] not in (3, 4):
        raise DataError(f"image: expected (H, W, 3) or (3, H, W), got shape {pixels.shape}.")
    if np.issubdtype(pixels.dtype, np.floating):
        pixels = np.clip(pixels, 0.0, 1.0)
    return pixels


def as_bytes(image: Any) -> NDArray[np.uint8]:
    """Bring an image to uint8 (H, W, 3); what `as_image` takes, without transparency."""
    pixels = as_image(image)[..., :3]
    if np.issubdtype(pixels.dtype, np.floating):
        pixels = (pixels * 255).round()
    return pixels.astype(np.uint8)


def as_mask(mask: Any, size: tuple[int, int], name: str) -> NDArray[np.bool_] | None:
    """Bring a mask to booleans (H, W); a DataError says that it does not fit the image."""
    if mask is None:
        return None
    flags = _array(mask) > 0
    while flags.ndim > 2 and flags.shape[0] == 1:  # batch and channel of one
        flags = flags[0]
    if flags.shape != size:
        raise DataError(f"{name}: the mask is {flags.shape}, but the image is {size} (H, W).")
    return np.asarray(flags, dtype=np.bool_)


def _array(value: Any) -> NDArray[Any]:
    if hasattr(value, "detach"):  # a torch tensor; numpy cannot read it while it has a gradient
        value = value.detach().cpu().numpy()
    return np.asarray(value)


def _outline(
    ax: "Axes", mask: NDArray[np.bool_], colour: str, *, width: float, dark_width: float
) -> None:
    # A black line under the coloured one keeps the outline visible on any background.
    for line_colour, line_width in (("black", dark_width), (colour, width)):
        ax.contour(*_contour_grid(mask), levels=[0.5], colors=[line_colour], linewidths=line_width)


def _hatch(ax: "Axes", mask: NDArray[np.bool_]) -> None:
    # Few lines and a thin border: what is wrong must stay visible below its mark.
    lines = _contour_grid(mask)
    filled = ax.contourf(*lines, levels=[0.5, 1.5], colors="none", hatches=[HATCH])
    filled.set_edgecolor(ROLES["error"])
    filled.set_linewidth(0.0)
    ax.contour(*lines, levels=[0.5], colors=[ROLES["error"]], linewidths=0.9)


def _draw_grid(ax: "Axes", size: tuple[int, int], cell: int) -> None:
    """Lines between cells of `cell` pixels, from the upper left corner."""
    if isinstance(cell, bool) or not isinstance(cell, int) or cell <= 0:
        raise DataError(f"grid: must be a positive int (side of a cell in pixels), got {cell!r}.")
    height, width = size
    columns, rows = np.arange(cell, width, cell) - 0.5, np.arange(cell, height, cell) - 0.5
    # A dark line under the bright one keeps the grid visible on any background.
    for colour, thickness, alpha in (("black", 1.6, 0.45), ("white", 0.7, 0.95)):
        ax.vlines(columns, -0.5, height - 0.5, colors=colour, lw=thickness, alpha=alpha)
        ax.hlines(rows, -0.5, width - 0.5, colors=colour, lw=thickness, alpha=alpha)


def _contour_grid(mask: NDArray[np.bool_]) -> tuple[NDArray[Any], ...]:
    """Columns, rows and values of a mask with a border, which closes outlines at the edge."""
    padded = np.pad(mask.astype(float), 1)
    height, width = padded.shape
    return np.arange(width) - 1.0, np.arange(height) - 1.0, padded


TITLE_POINTS = 10


def title_inches(title: str) -> float:
    """Height of a title of `TITLE_POINTS`, inches; layout engines forget it where axes are off."""
    return 0.19 * (title.count("\n") + 1) + 0.2


def legend_handles(truth: bool, prediction: bool, error: bool) -> list[Any]:
    """Samples of outline, fill and hatch for a legend."""
    import matplotlib.patheffects as effects
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    if truth:
        line = Line2D([], [], color=ROLES["truth"], lw=2, label="ground truth")
        line.set_path_effects([effects.withStroke(linewidth=3.8, foreground="black")])
        handles.append(line)
    if prediction:
        fill = rgba(ROLES["prediction"], 0.55)
        patch = Patch(facecolor=fill, edgecolor="white", lw=0.8, label="prediction")
        patch.set_path_effects([effects.withStroke(linewidth=1.7, foreground="black")])
        handles.append(patch)
    if error:
        edge = ROLES["error"]
        handles.append(Patch(facecolor="none", edgecolor=edge, hatch=HATCH, label="error"))
    return handles
