"""The small building blocks of necks and projectors: convolution, batch norm, ReLU."""

from functools import lru_cache

import torch
from torch import Tensor, nn


def conv_norm_relu(inputs: int, outputs: int, kernel: int = 1, *, stride: int = 1) -> nn.Sequential:
    """A convolution without bias that keeps the size (stride 1) or tiles it, batch norm, ReLU.

    The layer takes a map (B, inputs, H, W) to (B, outputs, H / stride, W / stride).

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        kernel: side of the kernel; odd with stride 1, equal to a larger stride.
        stride: how many times smaller the outgoing map is.
    """
    padding = kernel // 2 if stride == 1 else 0
    convolution = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


def enlarge_norm_relu(inputs: int, outputs: int, times: int) -> nn.Sequential:
    """A transposed convolution without bias that makes a map larger, batch norm, ReLU.

    The layer takes a map (B, inputs, H, W) to (B, outputs, times H, times W).

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        times: how many times higher and wider the outgoing map is; also the kernel's side.
    """
    convolution = nn.ConvTranspose2d(inputs, outputs, times, stride=times, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


@lru_cache(maxsize=8)
def coordinates(height: int, width: int, *, device: torch.device | None = None) -> Tensor:
    """Two planes that tell every position where it is; made once for each size and device.

    Args:
        height: rows H.
        width: columns W.
        device: where the planes live.

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
    """A 3x3 convolution that also sees where it is, batch norm, ReLU.

    An intriguing failing of convolutional neural networks (Liu et al., 2018); CRIS and ETRIS have
    it in their necks.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = conv_norm_relu(inputs + 2, outputs, 3)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        batch, _, height, width = features.shape
        places = coordinates(height, width, device=features.device).to(features.dtype)
        seen = torch.cat([features, places.expand(batch, -1, -1, -1)], dim=1)
        output: Tensor = self.conv1(seen)
        return output
