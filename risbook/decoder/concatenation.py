"""Fusion by concatenation: the oldest way to let a sentence choose a region.

The sentence is copied to every position of the image map, the coordinates of that position are
written beside it, and convolutions decide (Hu et al., 2016, "Segmentation from natural language
expressions", section 3.3).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import repeat
from torch import Tensor, nn

from risbook.decoder.convolutions import coordinates
from risbook.towers.convolutional import BasicBlock, conv_norm
from risbook.towers.features import ImageFeatures, TextFeatures


class ConcatenationDecoder(nn.Module):
    """Concatenates image, sentence and coordinates at stride 8, and answers at stride 2.

    Args:
        image_channels: channels of the four image maps (strides 2, 4, 8, 16).
        text_width: channels of the sentence.
        width: channels of the fused map; the finer maps have a half and a quarter of them.
        dilations: one basic block each after the fusion; they let positions compare themselves
            with others that are far away, which "the left one" needs.
    """

    def __init__(
        self,
        *,
        image_channels: Sequence[int],
        text_width: int,
        width: int = 128,
        dilations: Sequence[int] = (1, 2, 4, 1),
    ) -> None:
        super().__init__()
        finest, fine, middle, coarse = image_channels
        self.fuse = nn.Sequential(
            nn.Conv2d(middle + coarse + text_width + 2, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.compare = nn.Sequential(
            *(BasicBlock(inputs=width, outputs=width, dilation=dilation) for dilation in dilations)
        )
        self.sharpen = nn.ModuleList(
            [
                nn.Sequential(conv_norm(width + fine, width // 2), nn.ReLU()),
                nn.Sequential(conv_norm(width // 2 + finest, width // 4), nn.ReLU()),
            ]
        )
        self.answer = nn.Conv2d(width // 4, 1, 1)

    def forward(
        self, image: ImageFeatures, text: TextFeatures, *, record: dict[str, Tensor] | None = None
    ) -> Tensor:
        """Decode.

        Args:
            image: maps at strides 2, 4, 8 and 16.
            text: features of B sentences; only the sentence vector is used.
            record: filled with the named intermediates `fused` and `compared`,
                both (B, width, H / 8, W / 8).

        Returns:
            Logits (B, 1, H / 2, W / 2).
        """
        finest, fine, middle, coarse = image.maps
        height, width = middle.shape[-2:]
        sentence = repeat(text.sentence, "batch channel -> batch channel h w", h=height, w=width)
        places = repeat(
            coordinates(height, width, device=middle.device).to(middle.dtype),
            "plane h w -> batch plane h w",
            batch=len(middle),
        )
        parts = [middle, enlarge(coarse, middle), sentence.to(middle.dtype), places]
        fused = self.fuse(torch.cat(parts, dim=1))
        compared = self.compare(fused)
        if record is not None:
            record["fused"], record["compared"] = fused, compared
        x = compared
        for sharpen, finer in zip(self.sharpen, (fine, finest), strict=True):
            x = sharpen(torch.cat([enlarge(x, finer), finer], dim=1))
        logits: Tensor = self.answer(x)
        return logits


def enlarge(x: Tensor, like: Tensor) -> Tensor:
    """Bring a map (B, C, h, w) to the height and width of another, bilinearly."""
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)
