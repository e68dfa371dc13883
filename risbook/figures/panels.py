"""Several images side by side, each with its masks or its heatmap."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from risbook.errors import DataError
from risbook.figures.feature_maps import show_heatmap
from risbook.figures.overlays import (
    TITLE_POINTS,
    as_image,
    as_mask,
    legend_handles,
    show_referring,
    title_inches,
    wrap_title,
)
from risbook.metrics import iou

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MASKS = ("truth", "prediction", "error")


def show_panels(
    panels: Sequence[Mapping[str, Any]],
    *,
    columns: int = 4,
    cell: float = 2.3,
    legend: bool = False,
    grid: int | None = None,
) -> "Figure":
    """Draw images side by side and return the figure; end the cell with ``plt.show()``.

    Args:
        panels: each a mapping with ``image`` and, where wanted, ``title``; and either the masks
            ``truth``, ``prediction`` and ``error`` as `show_referring` takes them, or ``heat``
            with ``limits`` as `show_heatmap` does. A key ``grid`` stands in for the argument.
        columns: panels per row.
        cell: width of a panel, inches.
        legend: whether to say once, below, what outline, fill and hatch mean.
        grid: side of the cells of a grid over every image, pixels.

    Raises:
        DataError: there is no panel, or one is malformed.
    """
    import matplotlib.pyplot as plt

    if not panels:
        raise DataError("show_panels: there is nothing to draw; `panels` is empty.")
    columns = min(columns, len(panels))
    titles = [wrap_title(str(panel.get("title") or ""), int(cell * 11)) for panel in panels]
    shapes = [as_image(panel["image"]).shape for panel in panels]
    tall: list[float] = []
    titles_tall: list[float] = []
    for start in range(0, len(panels), columns):
        row = slice(start, start + columns)
        tall.append(max(cell * shape[0] / shape[1] for shape in shapes[row]))
        titles_tall.append(max(title_inches(title) if title else 0.1 for title in titles[row]))
    figure, axes = plt.subplots(
        len(tall),
        columns,
        figsize=(cell * columns, sum(tall) + sum(titles_tall) + 0.35 * legend),
        gridspec_kw={"height_ratios": tall},
        squeeze=False,
        layout="constrained",  # also without `use_style`, or titles are cut
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, panel, title in zip(axes.flat, panels, titles, strict=False):
        if panel.get("heat") is not None:
            show_heatmap(panel["image"], panel["heat"], ax=ax, limits=panel.get("limits"))
        else:
            masks = {key: panel[key] for key in _MASKS if panel.get(key) is not None}
            show_referring(panel["image"], ax=ax, grid=panel.get("grid", grid), **masks)
        ax.set_title(title, fontsize=TITLE_POINTS)
        ax.set_anchor("N")  # titles of a row stand at one height
    if legend:
        handles = legend_handles(*(_any_has(panels, key) for key in _MASKS))
        if handles:
            figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def compare_masks(image: Any, truth: Any, prediction: Any, title: str = "") -> dict[str, Any]:
    """A panel for `show_panels` with a predicted mask, its errors, and its IoU in the title.

    Args:
        image: what `show_panels` takes.
        truth: ground-truth mask (H, W).
        prediction: predicted mask (H, W).
        title: what stands before the IoU.

    Raises:
        DataError: the masks differ in size.

    >>> import numpy as np
    >>> left, row = np.array([[1, 0], [1, 0]]), np.array([[1, 1], [0, 0]])
    >>> compare_masks(np.zeros((2, 2, 3)), left, row, title="left")["title"]
    'left: IoU 0.33'
    """
    truth_mask = as_mask(truth, as_image(image).shape[:2], "truth")
    prediction_mask = as_mask(prediction, as_image(image).shape[:2], "prediction")
    assert truth_mask is not None and prediction_mask is not None
    score = f"IoU {iou(prediction_mask, truth_mask):.2f}"
    return {
        "image": image,
        "truth": truth_mask,
        "prediction": prediction_mask,
        "error": truth_mask ^ prediction_mask,
        "title": f"{title}: {score}" if title else score,
    }


def _any_has(panels: Sequence[Mapping[str, Any]], key: str) -> bool:
    return any(panel.get(key) is not None and panel.get(key) is not False for panel in panels)
