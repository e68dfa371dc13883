"""Convolutions with their batch norms: the building blocks of towers, adapters and decoders."""

from functools import lru_cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from risbook.errors import ArgumentError

#: of a convolution: 1 for sequences (B, C, L), 2 for maps (B, C, h, w)
SpatialDims = Literal[1, 2]


def conv_norm(
    in_dim: int, out_dim: int, kernel_size: int = 3, *, stride: int = 1, dilation: int = 1
) -> nn.Sequential:
    """Convolution without bias, batch norm: (B, in_dim, h, w) to (B, out_dim, h / s, w / s).

    Args:
        in_dim: channels of the input.
        out_dim: channels of the output.
        kernel_size: odd.
        stride: s.
        dilation: distance of the kernel's taps; widens the receptive field.
    """
    padding = dilation * (kernel_size // 2)
    conv = nn.Conv2d(in_dim, out_dim, kernel_size, stride, padding, dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out_dim))


def conv_norm_relu(in_dim: int, out_dim: int, kernel_size: int = 1) -> nn.Sequential:
    """Convolution without bias, batch norm, ReLU: (B, in_dim, h, w) to (B, out_dim, h, w)."""
    return nn.Sequential(*conv_norm(in_dim, out_dim, kernel_size), nn.ReLU())


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut: x + f(x), then ReLU.

    Deep residual learning for image recognition (He et al., 2016), figure 5 left.

    Args:
        in_dim: input channels.
        out_dim: output channels.
        stride: stride of the first convolution.
        dilation: dilation of both convolutions.
    """

    def __init__(self, *, in_dim: int, out_dim: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.first = conv_norm(in_dim, out_dim, stride=stride, dilation=dilation)
        self.second = conv_norm(out_dim, out_dim, dilation=dilation)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_dim != out_dim:
            self.shortcut = conv_norm(in_dim, out_dim, 1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_dim, h, w) to (B, out_dim, h / stride, w / stride)."""
        return F.relu(self.shortcut(x) + self.second(F.relu(self.first(x))))


def whole_factor(factor: float) -> tuple[int, int]:
    """How many times a map is enlarged and reduced; one of the two is 1.

    Raises:
        ArgumentError: unless the factor is n or 1 / n for a whole number n.

    >>> whole_factor(2), whole_factor(1 / 2)
    ((2, 1), (1, 2))
    """
    up, down = max(1, round(factor)), max(1, round(1 / factor if factor > 0 else 0))
    if abs(up / down - factor) > 1e-9:
        raise ArgumentError(f"factor {factor}: it must be n or 1 / n for a whole number n")
    return up, down


def resize_convolution(
    in_dim: int, out_dim: int, factor: float, *, transpose: bool = False
) -> nn.Conv2d | nn.ConvTranspose2d:
    """The convolution that brings a map to other sides and channels, without bias.

    Args:
        in_dim: channels of the input.
        out_dim: channels of the output.
        factor: ratio of the sides, n or 1 / n for a whole number n; n is kernel size and stride.
        transpose: whether factor 1 is a transposed convolution.

    Raises:
        ArgumentError: for another factor.
    """
    up, down = whole_factor(factor)
    if up > 1 or (transpose and down == 1):
        return nn.ConvTranspose2d(in_dim, out_dim, up, stride=up, bias=False)
    return nn.Conv2d(in_dim, out_dim, down, stride=down, bias=False)


def resize_norm_relu(
    in_dim: int, out_dim: int, factor: float, *, transpose: bool = False
) -> nn.Sequential:
    """`resize_convolution`, batch norm, ReLU."""
    conv = resize_convolution(in_dim, out_dim, factor, transpose=transpose)
    return nn.Sequential(conv, nn.BatchNorm2d(out_dim), nn.ReLU())


@lru_cache(maxsize=8)
def coordinates(height: int, width: int, *, device: torch.device | None = None) -> Tensor:
    """Two channels with the coordinates of every position, computed once per size and device.

    Returns:
        (2, h, w): x then y, each from -1 to 1.

    >>> coordinates(2, 3)[0].tolist()
    [[-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]]
    """
    with torch.inference_mode(False):
        x = torch.linspace(-1, 1, width, device=device)
        y = torch.linspace(-1, 1, height, device=device)
        return torch.stack(torch.meshgrid(x, y, indexing="xy"))


def add_coordinates(feature_map: Tensor) -> Tensor:
    """Map (B, C, h, w) to (B, C + 2, h, w), with `coordinates` as the last two channels."""
    batch, _, height, width = feature_map.shape
    xy = coordinates(height, width, device=feature_map.device).to(feature_map.dtype)
    return torch.cat([feature_map, xy.expand(batch, -1, -1, -1)], dim=1)


class CoordConv(nn.Module):
    """A 3x3 convolution that also reads the coordinates, batch norm, ReLU.

    An intriguing failing of convolutional neural networks (Liu et al., 2018); part of the necks of
    CRIS and ETRIS.

    Args:
        in_dim: channels of the input.
        out_dim: channels of the output.
    """

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.conv1 = conv_norm_relu(in_dim + 2, out_dim, 3)

    def forward(self, feature_map: Tensor) -> Tensor:
        """Map (B, in_dim, h, w) to (B, out_dim, h, w)."""
        output: Tensor = self.conv1(add_coordinates(feature_map))
        return output
