"""The building blocks of necks and projectors: convolution, batch norm, ReLU."""

from functools import lru_cache

import torch
from torch import Tensor, nn

from risbook.adapters.zoom_layer import resize_convolution


def conv_norm_relu(in_dim: int, out_dim: int, kernel_size: int = 1) -> nn.Sequential:
    """Convolution without bias, batch norm, ReLU: (B, in_dim, H, W) to (B, out_dim, H, W).

    Args:
        in_dim: channels of the input.
        out_dim: channels of the output.
        kernel_size: odd.
    """
    conv = nn.Conv2d(in_dim, out_dim, kernel_size, padding=kernel_size // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out_dim), nn.ReLU())


def resize_norm_relu(
    in_dim: int, out_dim: int, factor: float, *, transpose: bool = False
) -> nn.Sequential:
    """A convolution to other sides and channels (see `resize_convolution`), batch norm, ReLU."""
    conv = resize_convolution(in_dim, out_dim, factor, transpose=transpose)
    return nn.Sequential(conv, nn.BatchNorm2d(out_dim), nn.ReLU())


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
