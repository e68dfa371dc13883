"""A neck for ablations: the last map alone."""

from collections.abc import Sequence

from torch import Tensor, nn

from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.layers.convolutions import resize_norm_relu


class LastMapNeck(nn.Module):
    """The last of the maps, at the size and dimension of the output; the sentence has no effect.

    Args:
        in_dims: channels of the maps; only the last one counts.
        factors: side of the output divided by the side of each map; only the last one counts.
        sentence_dim: P, not used.
        dim: C, channels of the output.
        num_heads: not used.
    """

    def __init__(
        self,
        *,
        in_dims: Sequence[int],
        factors: Sequence[float],
        sentence_dim: int,
        dim: int = 512,
        num_heads: int = 8,
    ) -> None:
        super().__init__()
        self.resize = resize_norm_relu(in_dims[-1], dim, factors[-1])

    def forward(
        self,
        maps: Sequence[Tensor],
        sentence: Tensor,
        *,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Maps (B, C_i, H_i, W_i) and sentences (B, P) to a map (B, C, H, W)."""
        resized: Tensor = self.resize(maps[-1])
        return resized
