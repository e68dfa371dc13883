"""The building blocks of necks and projectors: convolution, batch norm, ReLU."""

from functools import lru_cache

import torch
from torch import Tensor, nn

from risbook.adapters.zoom_layer import whole_factor


def conv_norm_relu(
    in_dim: int, out_dim: int, kernel_size: int = 1, *, stride: int = 1
) -> nn.Sequential:
    """Convolution without bias, batch norm, ReLU: (B, in_dim, H, W) to (B, out_dim, H/s, W/s).

    Args:
        in_dim: channels of the input.
        out_dim: channels of the output.
        kernel_size: odd with stride 1; equal to a larger stride.
        stride: s.
    """
    padding = kernel_size // 2 if stride == 1 else 0
    conv = nn.Conv2d(in_dim, out_dim, kernel_size, stride=stride, padding=padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out_dim), nn.ReLU())


def deconv_norm_relu(in_dim: int, out_dim: int, factor: int) -> nn.Sequential:
    """Transposed convolution without bias, batch norm, ReLU.

    Map (B, in_dim, H, W) to (B, out_dim, factor H, factor W); the kernel has the factor's side.
    """
    conv = nn.ConvTranspose2d(in_dim, out_dim, factor, stride=factor, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out_dim), nn.ReLU())


def resize_norm_relu(
    in_dim: int, out_dim: int, factor: float, *, transpose: bool = False
) -> nn.Sequential:
    """A layer that brings a map to other sides and channels, batch norm, ReLU.

    Args:
        in_dim: channels of the input.
        out_dim: channels of the output.
        factor: ratio of the sides, n or 1 / n for a whole number n.
        transpose: whether factor 1 is a transposed convolution.

    Raises:
        RisbookError: for another factor.
    """
    up, down = whole_factor(factor)
    if up > 1 or (transpose and down == 1):
        return deconv_norm_relu(in_dim, out_dim, up)
    return conv_norm_relu(in_dim, out_dim, down, stride=down)


@lru_cache(maxsize=8)
def coordinates(height: int, width: int, *, device: torch.device | None = None) -> Tensor:
    """Two channels with the coordinates of every position, computed once per size and device.

    Returns:
        (2, H, W): x then y, each from -1 to 1.

    >>> coordinates(2, 3)[0].tolist()
    [[-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]]
    """
    with torch.inference_mode(False):
        x = torch.linspace(-1, 1, width, device=device)
        y = torch.linspace(-1, 1, height, device=device)
        return torch.stack(torch.meshgrid(x, y, indexing="xy"))


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

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, in_dim, H, W) to (B, out_dim, H, W)."""
        batch, _, height, width = features.shape
        xy = coordinates(height, width, device=features.device).to(features.dtype)
        output: Tensor = self.conv1(torch.cat([features, xy.expand(batch, -1, -1, -1)], dim=1))
        return output
