"""Intersection and union of predicted and annotated masks, for all expressions of an image at once.

The released protocol (see `risbook.systems.postprocess`) enlarges probabilities bicubically to the
letterbox, brings them back to the image bicubically, and compares them with a threshold. Both
resizings are linear along rows and along columns. So the two of them are one matrix for the rows
and one for the columns, which are the same for all expressions of an image:

$$\\text{probability} = R\\, \\sigma(\\text{logits})\\, C^\\top$$

Values differ from those of the protocol by rounding: at most 4e-6 in the tests.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from risbook.data.letterbox import Letterbox
from risbook.errors import ArgumentError
from risbook.layers.pos_embed import Grid


def resize_probabilities(logits: Tensor, letterbox: Letterbox) -> Tensor:
    """`probabilities_at_original_size` for several expressions of one image.

    Args:
        logits: (N, h, w), on any device.
        letterbox: how the image was letterboxed.

    Returns:
        float32 (N, H, W), on the same device.
    """
    rows, columns = resize_matrices(letterbox, (logits.shape[-2], logits.shape[-1]))
    probabilities = torch.sigmoid(logits.float())
    # columns first: the intermediate result (N, h, W) is the smaller one of a wide image
    return rows.to(logits.device) @ (probabilities @ columns.T.to(logits.device))


def count_pixels(
    logits: Tensor, letterbox: Letterbox, truths: Tensor, *, threshold: float
) -> Tensor:
    """Pixels in the intersection and in the union of predicted and annotated masks.

    Args:
        logits: of N expressions of one image, (N, h, w).
        letterbox: how the image was letterboxed.
        truths: annotated masks, bool (N, H, W), on the device of the logits.
        threshold: probability strictly above which a pixel belongs to the mask.

    Returns:
        int64 (N, 2).

    Raises:
        ArgumentError: the masks have another size than the image.
    """
    expected = (len(logits), letterbox.height, letterbox.width)
    if truths.shape != expected:
        raise ArgumentError(f"annotated masks are {tuple(truths.shape)}, expected {expected}")
    masks = resize_probabilities(logits, letterbox) > threshold
    inter = (masks & truths).flatten(1).sum(dim=1)
    union = (masks | truths).flatten(1).sum(dim=1)
    return torch.stack([inter, union], dim=1)


@lru_cache(maxsize=64)
def resize_matrices(letterbox: Letterbox, size: Grid) -> tuple[Tensor, Tensor]:
    """The matrices R (H, h) and C (W, w) from logits of a size (h, w) to an image, on the CPU."""
    with torch.inference_mode(False):
        undo_rows, undo_columns = letterbox.undo_matrices()
        rows = torch.from_numpy(undo_rows) @ _enlarge_matrix(size[0], letterbox.size)
        return rows, torch.from_numpy(undo_columns) @ _enlarge_matrix(size[1], letterbox.size)


def _enlarge_matrix(count: int, target: int) -> Tensor:
    """Bicubic enlargement of a line with aligned corners, (target, count)."""
    lines = torch.eye(count)[:, None, :, None]  # each number alone, as an image of one column
    enlarged = F.interpolate(lines, size=(target, 1), mode="bicubic", align_corners=True)
    return enlarged[:, 0, :, 0].T
