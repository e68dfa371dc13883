"""Losses of mask logits: the cross-entropy of the released codes, and Dice."""

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
        mask: (B, 1, h, w) in [0, 1], or a letterboxed mask (B, 1, S, S), which is resized.

    Returns:
        A scalar, computed in float32.
    """
    target = resize_target(mask, logits.shape[-2:])
    return F.binary_cross_entropy_with_logits(logits.float(), target.float())


def dice_loss(logits: Tensor, mask: Tensor) -> Tensor:
    r"""One minus the soft Dice coefficient of each mask, mean over the batch.

    $$L = 1 - \frac{2 \sum_i p_i g_i + 1}{\sum_i p_i + \sum_i g_i + 1}$$

    V-Net (Milletari et al., 2016), section 3; here with the sums and the added 1 of MaskFormer's
    code, so that an empty mask has a loss as well.

    Args:
        logits: (B, 1, h, w); p are their sigmoids.
        mask: g, (B, 1, h, w) in [0, 1], or a letterboxed mask (B, 1, S, S), which is resized.

    Returns:
        A scalar, computed in float32.

    >>> import torch
    >>> mask = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    >>> dice_loss(200 * mask - 100, mask), dice_loss(100 - 200 * mask, mask)
    (tensor(0.), tensor(0.8000))
    """
    target = resize_target(mask, logits.shape[-2:]).float().flatten(1)
    probability = logits.float().sigmoid().flatten(1)
    overlap = (probability * target).sum(dim=1)
    total = probability.sum(dim=1) + target.sum(dim=1)
    return (1 - (2 * overlap + 1) / (total + 1)).mean()
