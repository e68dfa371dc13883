"""CLIP: an image tower and a text tower whose vectors can be compared.

Learning transferable visual models from natural language supervision (Radford et al., 2021),
figure 3: the cosine of an image's and a sentence's vector, times a learned scale.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from risbook.towers.stages import StagedImageTower, StagedTextTower


class CLIP(nn.Module):
    """A pair of towers and the scale of their comparison.

    Args:
        image_tower: its `pooled` makes one vector of P channels per image.
        text_tower: a text tower with the same P.
        scale: initial value of the learned scale; CLIP starts at 1 / 0.07 and clips it at 100.
    """

    def __init__(
        self,
        *,
        image_tower: StagedImageTower,
        text_tower: StagedTextTower,
        scale: float = 1 / 0.07,
    ) -> None:
        super().__init__()
        self.image_tower = image_tower
        self.text_tower = text_tower
        self.logit_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def image_vectors(self, images: Tensor) -> Tensor:
        """Unit vectors (B, P) of images (B, 3, H, W)."""
        return F.normalize(self.image_tower.pooled(images).float(), dim=-1)

    def text_vectors(self, token_ids: Tensor) -> Tensor:
        """Unit vectors (B, P) of token ids (B, L)."""
        return F.normalize(self.text_tower(token_ids).sentence_embedding.float(), dim=-1)

    @property
    def scale(self) -> Tensor:
        """The scale, at most 100."""
        return self.logit_scale.exp().clamp(max=100.0)

    def forward(self, images: Tensor, token_ids: Tensor) -> Tensor:
        """Scaled cosines of every image with every sentence, (B images, B' sentences)."""
        return self.compare(self.image_tower.pooled(images), self.text_vectors(token_ids))

    def compare(self, vectors: Tensor, text_vectors: Tensor) -> Tensor:
        """Scaled cosines of vectors (N, P), not normalised, with unit vectors (M, P) of text."""
        return self.scale * F.normalize(vectors.float(), dim=-1) @ text_vectors.T
