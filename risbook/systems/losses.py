"""The loss of mask logits that the released codes compute."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor


def resize_target(mask: Tensor, size: Sequence[int]) -> Tensor:
    """Bring the letterboxed mask to the size of the logits, as the released codes do.

    Nearest neighbour: the target of logit (i, j) is the mask's pixel (s i, s j) with stride s
    (ETRIS and DETRIS, training code).

    Args:
        mask: (B, 1, S, S) in [0, 1].
        size: height and width of the logits.

    Returns:
        (B, 1, *size).
    """
    return F.interpolate(mask, size=tuple(size), mode="nearest")


def mask_cross_entropy(logits: Tensor, mask: Tensor) -> Tensor:
    """Binary cross-entropy over all positions, mean over the batch.

    This is what ETRIS and DETRIS call text-to-pixel contrastive loss: the released codes compute
    exactly this.

    Args:
        logits: (B, 1, h, w), of any size.
        mask: letterboxed mask (B, 1, S, S) in [0, 1]; it is resized to the logits.

    Returns:
        A scalar, computed in float32.
    """
    target = resize_target(mask, logits.shape[-2:])
    return F.binary_cross_entropy_with_logits(logits.float(), target.float())
