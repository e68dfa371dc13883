"""A neck for ablations: the last map alone."""

from collections.abc import Sequence

from torch import Tensor

from risbook.decoder.neck import Neck
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.layers.convolutions import resize_norm_relu
from risbook.towers.features import TextFeatures


class LastMapNeck(Neck):
    """The last of the maps, at the size and dimension of the output.

    Args:
        map_dims: channels of the maps; only the last one counts.
        factors: side of the output divided by the side of each map; only the last one counts.
        dim: C, channels of the output.
    """

    def __init__(self, *, map_dims: Sequence[int], factors: Sequence[float], dim: int) -> None:
        super().__init__()
        self.resize = resize_norm_relu(map_dims[-1], dim, factors[-1])

    def forward(
        self,
        maps: Sequence[Tensor],
        text_features: TextFeatures,
        *,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Maps (B, C_i, h_i, w_i) to a map (B, C, h, w); the text has no effect."""
        resized: Tensor = self.resize(maps[-1])
        return resized
