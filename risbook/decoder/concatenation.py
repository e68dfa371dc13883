"""Fusion by concatenation, the first decoder of the field.

The sentence embedding is copied to every position of the feature map, the coordinates of the
position are concatenated, and convolutions classify the position (Hu et al., 2016, "Segmentation
from natural language expressions", section 3.3).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import repeat
from torch import Tensor, nn

from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.layers.convolutions import BasicBlock, add_coordinates, conv_norm, conv_norm_relu
from risbook.towers.features import TextFeatures


class ConcatenationDecoder(nn.Module):
    """Concatenates image, text and coordinates at stride 8, and returns logits at stride 2.

    Args:
        map_dims: channels of the four feature maps (strides 2, 4, 8, 16).
        sentence_dim: P, channels of the sentence embedding.
        dim: channels of the fused map; the finer maps have a half and a quarter of them.
        dilations: one basic block each after the fusion; they let positions compare themselves
            with others that are far away, which "the left one" needs.
    """

    def __init__(
        self,
        *,
        map_dims: Sequence[int],
        sentence_dim: int,
        dim: int = 128,
        dilations: Sequence[int] = (1, 2, 4, 1),
    ) -> None:
        super().__init__()
        finest, fine, middle, coarse = map_dims
        self.fuse = conv_norm_relu(middle + coarse + sentence_dim + 2, dim)
        self.context_blocks = nn.Sequential(
            *(BasicBlock(in_dim=dim, out_dim=dim, dilation=dilation) for dilation in dilations)
        )
        self.upsample_blocks = nn.ModuleList(
            [
                nn.Sequential(conv_norm(dim + fine, dim // 2), nn.ReLU()),
                nn.Sequential(conv_norm(dim // 2 + finest, dim // 4), nn.ReLU()),
            ]
        )
        self.mask_conv = nn.Conv2d(dim // 4, 1, 1)

    def forward(
        self,
        maps: Sequence[Tensor],
        text_features: TextFeatures,
        *,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Decode.

        Args:
            maps: at strides 2, 4, 8 and 16.
            text_features: features of B sentences; only the sentence embedding is used.
            intermediates: gets "fused" and, after the dilated blocks, "context", both (B, dim,
                H / 8, W / 8).

        Returns:
            Logits (B, 1, H / 2, W / 2).
        """
        finest, fine, middle, coarse = maps
        height, width = middle.shape[-2:]
        sentence_embedding = repeat(
            text_features.sentence_embedding,
            "batch channel -> batch channel h w",
            h=height,
            w=width,
        )
        parts = [middle, resize_like(coarse, middle), sentence_embedding.to(middle.dtype)]
        fused = self.fuse(add_coordinates(torch.cat(parts, dim=1)))  # (B, dim, H / 8, W / 8)
        context = self.context_blocks(fused)
        intermediates["fused"] = fused
        intermediates["context"] = context
        feature_map = context
        for upsample, finer in zip(self.upsample_blocks, (fine, finest), strict=True):
            feature_map = upsample(torch.cat([resize_like(feature_map, finer), finer], dim=1))
        logits: Tensor = self.mask_conv(feature_map)
        return logits


def resize_like(feature_map: Tensor, reference: Tensor) -> Tensor:
    """Bring a map (B, C, h, w) to the height and width of another, bilinearly."""
    size = reference.shape[-2:]
    return F.interpolate(feature_map, size=size, mode="bilinear", align_corners=False)
