"""From a network's logits to a mask at the image's own resolution.

The test code of CRIS (Wang et al., 2022), ETRIS (Xu et al., 2023), DETRIS (Huang et al., 2025) and
MiCA (Li et al., 2026), ``engine/engine.py`` there, takes the sigmoid first, enlarges the
*probabilities* bicubically with aligned corners to the size of the letterbox, undoes the letterbox
bicubically, and keeps what is strictly above 0.35. Enlarging the logits instead, or comparing at
the letterbox's size, gives other figures.
"""

from collections.abc import Sequence
from typing import overload

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from risbook.data.letterbox import Letterbox
from risbook.errors import ArgumentError

#: Probability strictly above which a pixel belongs to the mask, in all four released repositories.
#: LAVT (Yang et al., 2022) compares two classes instead, which is 0.5.
THRESHOLD = 0.35

Probability = npt.NDArray[np.float32]
BoolMask = npt.NDArray[np.bool_]


@overload
def probabilities_at_original_size(logits: Tensor, letterbox: Letterbox) -> Probability: ...


@overload
def probabilities_at_original_size(
    logits: Tensor, letterbox: Sequence[Letterbox]
) -> list[Probability]: ...


@torch.no_grad()
def probabilities_at_original_size(
    logits: Tensor, letterbox: Letterbox | Sequence[Letterbox]
) -> Probability | list[Probability]:
    """Turn logits into probabilities at each image's own resolution.

    Args:
        logits: (h, w) with one letterbox, or (B, 1, h, w) with a sequence of B; on any device, in
            any floating type.
        letterbox: how the image, or each image, was letterboxed.

    Returns:
        float32 (H, W), or a list of B of them. Bicubic weights overshoot: values can lie a little
        outside 0 to 1.

    Raises:
        ArgumentError: shapes and letterboxes do not belong together.
    """
    if isinstance(letterbox, Letterbox):
        if logits.ndim != 2:
            raise ArgumentError(
                f"one letterbox needs logits of shape (h, w), got {tuple(logits.shape)}; "
                "pass a list of letterboxes for a batch"
            )
        return _enlarge(logits, letterbox)
    if logits.ndim != 4 or logits.shape[1] != 1 or logits.shape[0] != len(letterbox):
        raise ArgumentError(
            f"{len(letterbox)} letterboxes need logits of shape ({len(letterbox)}, 1, h, w), "
            f"got {tuple(logits.shape)}"
        )
    pairs = zip(logits[:, 0], letterbox, strict=True)
    return [_enlarge(image_logits, image_letterbox) for image_logits, image_letterbox in pairs]


@overload
def predict_mask(
    logits: Tensor, letterbox: Letterbox, *, threshold: float = THRESHOLD
) -> BoolMask: ...


@overload
def predict_mask(
    logits: Tensor, letterbox: Sequence[Letterbox], *, threshold: float = THRESHOLD
) -> list[BoolMask]: ...


def predict_mask(
    logits: Tensor, letterbox: Letterbox | Sequence[Letterbox], *, threshold: float = THRESHOLD
) -> BoolMask | list[BoolMask]:
    """Turn logits into a mask at each image's own resolution.

    Args:
        logits: (h, w) with one letterbox, or (B, 1, h, w) with a sequence of B.
        letterbox: how the image, or each image, was letterboxed.
        threshold: probability strictly above which a pixel belongs to the mask.

    Returns:
        bool (H, W), or a list of B of them.

    Raises:
        ArgumentError: shapes and letterboxes do not belong together.

    >>> predict_mask(torch.zeros(4, 4), Letterbox(height=2, width=3, size=16)).tolist()
    [[True, True, True], [True, True, True]]
    """
    if isinstance(letterbox, Letterbox):
        return threshold_mask(probabilities_at_original_size(logits, letterbox), threshold)
    probabilities = probabilities_at_original_size(logits, letterbox)
    return [threshold_mask(probability, threshold) for probability in probabilities]


def threshold_mask(probability: Probability, threshold: float) -> BoolMask:
    """Probabilities (H, W) to a mask, bool (H, W): what lies strictly above the threshold."""
    return np.greater(probability, threshold)


def _enlarge(logits: Tensor, letterbox: Letterbox) -> Probability:
    # on the CPU in float32, so that the same logits give the same mask on every device
    probability = torch.sigmoid(logits.detach().float().cpu())[None, None]
    square = (letterbox.size, letterbox.size)
    large = F.interpolate(probability, size=square, mode="bicubic", align_corners=True)
    return letterbox.undo(large[0, 0].numpy())
