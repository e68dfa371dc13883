"""Losses of mask logits by name: the released cross-entropy, Dice, and their sum."""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from risbook.data.masks import TargetSampling
from risbook.registry import Registry

#: takes logits (B, 1, h, w), float32, and a target of the same size in [0, 1]; returns a scalar, or
#: scalars by name, of which "loss" is minimised and all are logged
Loss = Callable[[Tensor, Tensor], Tensor | Mapping[str, Tensor]]

#: of MiCA's guards: the largest logit, and the loss of a batch with NaN
LOGIT_LIMIT = 50.0
NAN_LOSS = 0.5


def resize_target(
    mask: Tensor, size: Sequence[int], *, sampling: TargetSampling = "nearest"
) -> Tensor:
    """Bring the letterboxed mask to the size of the logits.

    - "nearest", as in the released repositories: the target of logit (i, j) is the mask's pixel
      (s i, s j) with stride s (ETRIS, Xu et al., 2023, and DETRIS, Huang et al., 2025; training
      code). At the test they enlarge with aligned corners, which puts logit (i, j) elsewhere: the
      first on the first pixel, the last on the last. The two differ by up to s - 1 pixels.
    - "corners" samples the mask bilinearly where that enlargement puts the logits.

    Args:
        mask: (B, 1, S, S) in [0, 1].
        size: height and width of the logits.
        sampling: which of the two.

    Returns:
        (B, 1, *size).
    """
    if sampling == "corners":
        return F.interpolate(mask, size=tuple(size), mode="bilinear", align_corners=True)
    return F.interpolate(mask, size=tuple(size), mode="nearest")


def mask_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy over all positions, mean over the batch.

    This is what ETRIS and DETRIS call text-to-pixel contrastive loss: the released repositories
    compute exactly this.

    Args:
        logits: (B, 1, h, w).
        target: (B, 1, h, w) in [0, 1], see `resize_target`.

    Returns:
        A scalar, computed in float32.
    """
    return F.binary_cross_entropy_with_logits(logits.float(), target.float())


def guarded_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """`mask_cross_entropy` with the guards of MiCA's released code (Li et al., 2026).

    Logits are limited to `LOGIT_LIMIT` on both sides, beyond which the gradient is zero. Where a
    logit is NaN, the loss of the batch is 0.5. The released code takes a constant for this, and its
    training stops with an error; here the gradient of such a batch is zero, so it is skipped.

    Args:
        logits: (B, 1, h, w).
        target: (B, 1, h, w) in [0, 1].

    Returns:
        A scalar, computed in float32.
    """
    logits = logits.float().clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
    loss = mask_cross_entropy(logits.nan_to_num(), target)
    return torch.where(logits.isnan().any(), NAN_LOSS, loss)


def dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    r"""One minus the soft Dice coefficient of each mask, mean over the batch.

    $$L = 1 - \frac{2 \sum_i p_i g_i + 1}{\sum_i p_i + \sum_i g_i + 1}$$

    V-Net (Milletari et al., 2016), section 3; here with the sums and the added 1 of MaskFormer's
    code, so that an empty mask has a loss as well.

    Args:
        logits: (B, 1, h, w); p are their sigmoids.
        target: g, (B, 1, h, w) in [0, 1].

    Returns:
        A scalar, computed in float32.

    >>> import torch
    >>> mask = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    >>> dice_loss(200 * mask - 100, mask), dice_loss(100 - 200 * mask, mask)
    (tensor(0.), tensor(0.8000))
    """
    target = target.float().flatten(1)
    probability = logits.float().sigmoid().flatten(1)
    overlap = (probability * target).sum(dim=1)
    total = probability.sum(dim=1) + target.sum(dim=1)
    return (1 - (2 * overlap + 1) / (total + 1)).mean()


def cross_entropy_dice(logits: Tensor, target: Tensor) -> dict[str, Tensor]:
    """The sum of `mask_cross_entropy` and `dice_loss`, and both by name."""
    terms = {
        "cross_entropy": mask_cross_entropy(logits, target),
        "dice": dice_loss(logits, target),
    }
    return {"loss": terms["cross_entropy"] + terms["dice"], **terms}


#: losses that `TrainingConfig.loss` can name
LOSSES: Registry[Loss] = Registry(
    "loss",
    {
        "cross-entropy": mask_cross_entropy,
        "dice": dice_loss,
        "cross-entropy-dice": cross_entropy_dice,
        "guarded-cross-entropy": guarded_cross_entropy,
    },
)


def register_loss(name: str, loss: Loss) -> None:
    """Add a loss, or replace one, under a name that configurations can give.

    Args:
        name: the name.
        loss: a function of logits (B, 1, h, w), float32, and targets of that size in [0, 1]. It
            returns a scalar, or scalars by name, of which "loss" is minimised.
    """
    LOSSES[name] = loss
