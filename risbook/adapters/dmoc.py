"""D-MoC, the Dense Mixture of Convolutions: kernels of rising size, densely connected.

DETRIS (Huang et al., 2025); released code. A map x of d channels passes through one branch per
kernel size, and each branch also reads the outputs of the branches before it:

$$b_1 = C_1(x) \\qquad b_2 = C_3([x, b_1]) \\qquad b_3 = C_5([x, b_1, b_2])
\\qquad \\text{D-MoC}(x) = [b_1, b_2, b_3]$$

with $C_k$ a convolution of kernel size k, batch norm and ReLU, and [ ] concatenation of channels as
in DenseNet (Huang et al., 2017). The branches have d/2, d/4 and d/4 channels, so the result has d
again. This chain is the dense connection of DETRIS: adapters of different blocks are not connected,
although the abstract speaks of each layer and all preceding layers.

In the released code a 1x1 convolution to d/16 channels, with batch norm and ReLU, stands before the
3x3 and the 5x5 one. The paper's figure has one convolution per kernel size (`squeeze=False`).

The Dense Aligner uses the form for maps, (B, d, h, w), the Text Adapter that for sentences,
(B, d, L); both are this one class.
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from risbook.errors import ArgumentError
from risbook.layers.convolutions import SpatialDims

#: a branch with a larger kernel first reduces its input to 1 / 16 of the channels
SQUEEZE = 16


class DMoC(nn.Module):
    """Map (B, d, h, w) to a map of the same shape, or with `spatial_dims=1` (B, d, L).

    >>> import torch
    >>> DMoC(32)(torch.zeros(2, 32, 5, 7)).shape
    torch.Size([2, 32, 5, 7])
    >>> DMoC(32, spatial_dims=1)(torch.zeros(2, 32, 9)).shape
    torch.Size([2, 32, 9])

    Args:
        dim: d, channels of input and output, a multiple of 16.
        spatial_dims: 2 for maps, 1 for sentences.
        kernel_sizes: of the branches, odd. Each branch has half of the channels that are left, and
            the last one has all of them.
        squeeze: whether a 1x1 convolution to d / 16 channels stands before the larger kernels.

    Raises:
        ArgumentError: for another number of channels, a kernel that has no centre, or so many
            kernels that a branch would have no channel.
    """

    def __init__(
        self,
        dim: int,
        *,
        spatial_dims: SpatialDims = 2,
        kernel_sizes: Sequence[int] = (1, 3, 5),
        squeeze: bool = True,
    ) -> None:
        super().__init__()
        if dim % SQUEEZE or dim < SQUEEZE:
            raise ArgumentError(f"D-MoC has {dim} channels; they must be a multiple of {SQUEEZE}")
        if not kernel_sizes or any(size < 1 or size % 2 == 0 for size in kernel_sizes):
            raise ArgumentError(f"kernel_sizes is {tuple(kernel_sizes)}; kernels must be odd")
        self.branches = nn.ModuleList()
        out_dims = branch_dims(dim, len(kernel_sizes))
        if min(out_dims) < 1:
            raise ArgumentError(
                f"kernel_sizes has {len(kernel_sizes)} sizes; each branch has half of the channels "
                f"that are left, and {dim} channels are enough for {dim.bit_length()} branches"
            )
        in_dim = dim
        for kernel_size, out_dim in zip(kernel_sizes, out_dims, strict=True):
            branch: nn.Module
            if squeeze and kernel_size > 1:
                squeezed = dim // SQUEEZE
                branch = nn.Sequential(
                    conv_unit(in_dim, squeezed, 1, spatial_dims=spatial_dims),
                    conv_unit(squeezed, out_dim, kernel_size, spatial_dims=spatial_dims),
                )
            else:
                branch = conv_unit(in_dim, out_dim, kernel_size, spatial_dims=spatial_dims)
            self.branches.append(branch)
            in_dim += out_dim

    def forward(self, x: Tensor) -> Tensor:
        """The outputs of the branches side by side, in the shape of `x`."""
        features = [x]
        for branch in self.branches:
            features.append(branch(torch.cat(features, dim=1)))
        return torch.cat(features[1:], dim=1)


def conv_unit(
    in_dim: int, out_dim: int, kernel_size: int, *, spatial_dims: SpatialDims
) -> nn.Sequential:
    """Convolution with bias, batch norm, ReLU; the map keeps its size.

    The bias has no effect in training, because the norm subtracts each channel's mean. It is kept
    so that the released weights fit.
    """
    conv, norm = (nn.Conv1d, nn.BatchNorm1d) if spatial_dims == 1 else (nn.Conv2d, nn.BatchNorm2d)
    return nn.Sequential(
        OrderedDict[str, nn.Module](
            conv=conv(in_dim, out_dim, kernel_size, padding=kernel_size // 2),
            bn=norm(out_dim, eps=1e-3),
            relu=nn.ReLU(),
        )
    )


def branch_dims(dim: int, count: int) -> list[int]:
    """Channels of the branches: half of what is left, and for the last one all of it.

    >>> branch_dims(128, 3)
    [64, 32, 32]
    """
    dims = [dim // 2**number for number in range(1, count)]
    return [*dims, dim - sum(dims)]
