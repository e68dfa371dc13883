"""A slider for the threshold that turns the probabilities of one image into a mask."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from risbook.errors import DataError
from risbook.figures.interactive import FrameSlider
from risbook.figures.overlays import as_image, as_mask, show_referring
from risbook.figures.palette import CYCLE, ROLES
from risbook.metrics import iou

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Closer together around 0.35, the threshold of the released repositories, and 0.5.
THRESHOLDS = (0.05, 0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.65, 0.8, 0.95)

#: Where the curve of the IoU is computed.
CURVE_THRESHOLDS = tuple(np.linspace(0, 1, 51).round(2).tolist())


def threshold_slider(
    image: Any,
    truth: Any,
    probability: Any,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    marked: float = 0.35,
    crop: tuple[slice, slice] = (slice(None), slice(None)),
) -> FrameSlider:
    """Show the mask and its IoU for several thresholds; make it the last line of a cell.

    Each position of the slider shows the image with ground truth, prediction and hatched errors,
    beside the curve of the IoU over 51 thresholds. The position nearest to `marked` is shown first.

    Args:
        image: as `show_referring` takes it, (H, W, 3).
        truth: ground-truth mask (H, W).
        probability: predicted probability of each pixel, (H, W), from 0 to 1.
        thresholds: the positions of the slider; a pixel is predicted if its probability is above.
        marked: a threshold that the curve marks by a dotted line.
        crop: rows and columns of the image that are shown; the IoU counts all pixels.

    Raises:
        DataError: image, mask and probabilities differ in size, or there is no threshold.
    """
    pixels = as_image(image)
    size = pixels.shape[0], pixels.shape[1]
    true_mask = as_mask(truth, size, "truth")
    values = np.asarray(probability)
    if true_mask is None or values.shape != size or not len(thresholds):
        raise DataError(
            f"threshold_slider: needs a truth and probabilities of size {size} (H, W) and at "
            f"least one threshold; the probabilities are {values.shape}."
        )
    curve = [iou(values > threshold, true_mask) for threshold in CURVE_THRESHOLDS]
    frames: list[Figure] = []
    labels: list[str] = []
    for threshold in thresholds:
        mask = values > threshold
        score = iou(mask, true_mask)
        figure = _draw_curve(curve, current=(threshold, score), marked=marked)
        image_axes = figure.axes[0]
        show_referring(pixels[crop], true_mask[crop], mask[crop], error=True, ax=image_axes)
        frames.append(figure)
        labels.append(f"threshold {threshold:.2f}: IoU {score:.2f}")
    return FrameSlider(
        frames=frames,
        labels=labels,
        title="Move the threshold",
        alt="An object with its ground-truth outline, the predicted fill and hatched errors, "
        "beside the curve of the IoU over the threshold. The fill shrinks as the threshold grows.",
        start=int(np.argmin(np.abs(np.asarray(thresholds) - marked))),
        width=720,
        colours=96,
    )


def _draw_curve(curve: Sequence[float], *, current: tuple[float, float], marked: float) -> "Figure":
    """Draw the curve into the right half of a figure whose left half is empty."""
    import matplotlib.pyplot as plt

    figure, (_, ax) = plt.subplots(1, 2, figsize=(7.2, 4.6), width_ratios=(1, 1.25))
    ax.plot(CURVE_THRESHOLDS, curve, color=CYCLE[0])
    ax.plot(*current, "o", color=ROLES["error"], markersize=9)
    ax.axvline(marked, color="black", linestyle=":", linewidth=1)
    ax.text(marked + 0.02, 0.04, f"{marked:g}")
    ax.set(xlabel="threshold", ylabel="IoU", xlim=(0, 1), ylim=(0, 1))
    return figure
