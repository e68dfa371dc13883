"""The loss of boxes in MiCA's released code, which also trains for comprehension (REC).

MiCA (Li et al., 2026). Boxes are centre and size, (x, y, w, h), in shares of the letterboxed image.
With the generalised IoU of Rezatofighi et al. (2019), mean over the batch:

$$L = 5\\, L_1 + 2\\, (1 - \\text{GIoU})$$

The book's systems predict masks; a head of boxes is no part of this package.
"""

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
    from torchvision.ops import generalized_box_iou_loss

    l1 = F.l1_loss(predictions, target)
    giou = generalized_box_iou_loss(
        to_corners(predictions), to_corners(target), reduction="mean", eps=EPS
    )
    return {"loss": L1_WEIGHT * l1 + GIOU_WEIGHT * giou, "l1": l1, "giou": giou}


def paired_box_iou(predictions: Tensor, target: Tensor) -> Tensor:
    """The IoU of each prediction with its target, both (B, 4) as in `box_loss`: (B,).

    The score of comprehension, Acc@0.5, is the share of pairs whose IoU is 0.5 or more.

    >>> import torch
    >>> paired_box_iou(torch.tensor([[0.5, 0.5, 0.4, 0.2]]), torch.tensor([[0.5, 0.5, 0.2, 0.2]]))
    tensor([0.5000])
    """
    from torchvision.ops import box_iou

    return box_iou(to_corners(predictions), to_corners(target)).diagonal()


def to_corners(boxes: Tensor) -> Tensor:
    """Boxes (B, 4) from centre and size to the corners (left, top, right, bottom)."""
    from torchvision.ops import box_convert

    corners: Tensor = box_convert(boxes, "cxcywh", "xyxy")
    return corners
