"""The loss of boxes in MiCA's released code, which also trains for comprehension (REC).

MiCA (Li et al., 2026). Boxes are centre and size, (x, y, w, h), in shares of the letterboxed image.
With the generalised IoU of Rezatofighi et al. (2019), mean over the batch:

$$L = 5\\, L_1 + 2\\, (1 - \\text{GIoU})$$

The book's systems predict masks; a head of boxes is no part of this package.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

L1_WEIGHT = 5.0
GIOU_WEIGHT = 2.0
#: added to areas in the denominators, as released
EPS = 1e-6


def box_loss(predictions: Tensor, target: Tensor) -> dict[str, Tensor]:
    """The loss and its two terms.

    Args:
        predictions: (B, 4), centre and size, in [0, 1].
        target: (B, 4), in the same form.

    Returns:
        "loss", "l1" and "giou", each a scalar; "giou" is 1 minus the generalised IoU.
    """
    l1 = F.l1_loss(predictions, target)
    _, generalised = paired_box_iou(predictions, target)
    giou = (1 - generalised).mean()
    return {"loss": L1_WEIGHT * l1 + GIOU_WEIGHT * giou, "l1": l1, "giou": giou}


def paired_box_iou(predictions: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalised IoU of each prediction with its target, both (B, 4) as in `box_loss`.

    The generalised IoU subtracts the share of the smallest box around both that neither of them
    covers. So boxes that do not overlap have a gradient as well. The score of comprehension,
    Acc@0.5, is the share of pairs whose IoU is 0.5 or more.

    Returns:
        (B,) and (B,).

    >>> iou, giou = paired_box_iou(torch.tensor([[0.3, 0.5, 0.2, 0.2]]),
    ...                            torch.tensor([[0.4, 0.5, 0.2, 0.2]]))
    >>> round(iou.item(), 3), round(giou.item(), 3)
    (0.333, 0.333)
    """
    first, second = to_corners(predictions), to_corners(target)
    starts = torch.maximum(first[:, :2], second[:, :2])
    ends = torch.minimum(first[:, 2:], second[:, 2:])
    overlap = (ends - starts).clamp(min=0).prod(dim=1)
    union = predictions[:, 2:].prod(dim=1) + target[:, 2:].prod(dim=1) - overlap
    starts = torch.minimum(first[:, :2], second[:, :2])
    ends = torch.maximum(first[:, 2:], second[:, 2:])
    hull = (ends - starts).prod(dim=1)
    iou = overlap / (union + EPS)
    return iou, iou - (hull - union) / (hull + EPS)


def to_corners(boxes: Tensor) -> Tensor:
    """Boxes (B, 4) from centre and size to the corners (left, top, right, bottom)."""
    centre, size = boxes[:, :2], boxes[:, 2:]
    return torch.cat([centre - size / 2, centre + size / 2], dim=1)
