"""Frozen weights of the released DETRIS that no computation reads.

They are kept for two reasons: a released checkpoint is then converted without loss, and the counts
of parameters equal the released ones to the last digit.
"""

import torch
from torch import Tensor, nn

from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.stages import StagedImageTower


class UnusedWeights(nn.Module):
    """Zeros, unless a released checkpoint is read.

    Args:
        image_tower: the last two exist if it is a DINOv2.

    Attributes:
        logit_scale: CLIP's temperature, a scalar.
        mask_token: (1, C), of DINOv2's pretraining.
        class_pos_embed: (1, 1, C), the class token's position embedding. The tower has it as part
            of the class token, as timm does.
    """

    mask_token: Tensor | None
    class_pos_embed: Tensor | None

    def __init__(self, image_tower: StagedImageTower) -> None:
        super().__init__()
        self.logit_scale = _frozen()
        dim = image_tower.output_dim
        is_dinov2 = isinstance(image_tower, ImageTransformer) and not (
            image_tower.style.class_pos_embed
        )
        self.mask_token = _frozen(1, dim) if is_dinov2 else None
        self.class_pos_embed = _frozen(1, 1, dim) if is_dinov2 else None


def _frozen(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(shape), requires_grad=False)
