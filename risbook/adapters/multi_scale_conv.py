"""The multi-scale convolution of MiCA: depth-wise kernels of three sizes, mixed per position.

MiCA (Li et al., 2026); released code. Each channel of x is convolved alone, with kernels of 3, 5
and 7 positions; a point-wise convolution then mixes the 3 r channels of one position to r:

$$\\text{conv}(x) = W_{pw}\\, [D_3(x), D_5(x), D_7(x)]$$

A convolution that is depth-wise and then point-wise is called *depth-wise separable*. It has
(3 + 5 + 7) r + 3 r^2 weights along a sequence and (9 + 25 + 49) r + 3 r^2 on a map. Full kernels on
a map would have 83 r^2, which is 23 times as many at r = 128. No layer here has a bias.

MiCA uses both forms: along the sequence of tokens in GLiA and in the CAA of the text tower, and on
the map of patches in the CAA of the image tower.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from risbook.errors import ArgumentError
from risbook.layers.convolutions import SpatialDims
from risbook.layers.numeric_guards import limit


class MultiScaleConv(nn.Module):
    """Map (B, r, h, w) to a map of the same shape, or with `spatial_dims=1` (B, r, L).

    >>> MultiScaleConv(16)(torch.zeros(2, 16, 5, 7)).shape
    torch.Size([2, 16, 5, 7])
    >>> MultiScaleConv(16, spatial_dims=1)(torch.zeros(2, 16, 9)).shape
    torch.Size([2, 16, 9])

    Args:
        dim: r, channels of input and output.
        spatial_dims: 2 for maps, 1 for sequences.
        kernel_sizes: of the depth-wise convolutions, odd.

    Raises:
        ArgumentError: for a kernel that has no centre.
    """

    def __init__(
        self, dim: int, *, spatial_dims: SpatialDims = 2, kernel_sizes: Sequence[int] = (3, 5, 7)
    ) -> None:
        super().__init__()
        if not kernel_sizes or any(size < 1 or size % 2 == 0 for size in kernel_sizes):
            raise ArgumentError(f"kernel_sizes is {tuple(kernel_sizes)}; kernels must be odd")
        conv = nn.Conv1d if spatial_dims == 1 else nn.Conv2d
        self.dw_convs = nn.ModuleList(
            conv(dim, dim, size, padding=size // 2, groups=dim, bias=False) for size in kernel_sizes
        )
        self.pw_conv = conv(len(kernel_sizes) * dim, dim, 1, bias=False)
        self.is_limited = spatial_dims == 1  # as released: the form for maps has no guard
        if spatial_dims == 1:
            # For a depth-wise kernel, torch's fan-out counts r times as many outputs as there are:
            # so these kernels start at a deviation of sqrt(2 / (r k)). On maps torch's own rule.
            for layer in (*self.dw_convs, self.pw_conv):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """The mixed outputs of all kernels, in the shape of `x`."""
        features = [conv(x) for conv in self.dw_convs]
        if self.is_limited:
            features = [limit(feature) for feature in features]
        mixed: Tensor = self.pw_conv(torch.cat(features, dim=1))
        return mixed
