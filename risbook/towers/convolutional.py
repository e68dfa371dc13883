"""An image network that is trained from scratch: the image half of the first model.

A small residual network (He et al., 2016, "Deep residual learning for image recognition",
figure 5 left, the basic block). Nothing in it is pretrained.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from risbook.towers.features import ImageFeatures


def conv_norm(in_dim: int, out_dim: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """A 3x3 convolution without bias and its batch norm, the pair that blocks are made of."""
    return nn.Sequential(
        nn.Conv2d(
            in_dim, out_dim, 3, stride=stride, padding=dilation, dilation=dilation, bias=False
        ),
        nn.BatchNorm2d(out_dim),
    )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut: x + f(x), then ReLU.

    Args:
        in_dim: input channels.
        out_dim: output channels.
        stride: stride of the first convolution.
        dilation: dilation of both convolutions; widens the receptive field.
    """

    def __init__(self, *, in_dim: int, out_dim: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.first = conv_norm(in_dim, out_dim, stride=stride, dilation=dilation)
        self.second = conv_norm(out_dim, out_dim, dilation=dilation)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_dim != out_dim:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_dim, out_dim, 1, stride=stride, bias=False), nn.BatchNorm2d(out_dim)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_dim, H, W) to (B, out_dim, H / stride, W / stride)."""
        return F.relu(self.shortcut(x) + self.second(F.relu(self.first(x))))


class ConvolutionalTower(nn.Module):
    """A residual network that returns its maps at strides 2, 4, 8 and 16.

    Args:
        widths: channels of the stem and of the three stages.
        blocks: basic blocks in each of the three stages.
    """

    strides = (2, 4, 8, 16)

    def __init__(self, *, widths: Sequence[int] = (32, 64, 128, 192), blocks: int = 2) -> None:
        super().__init__()
        in_dim, *stage_dims = widths
        self.stem = nn.Sequential(conv_norm(3, in_dim, stride=2), nn.ReLU())
        self.stages = nn.ModuleList()
        for out_dim in stage_dims:
            first = BasicBlock(in_dim=in_dim, out_dim=out_dim, stride=2)
            others = [BasicBlock(in_dim=out_dim, out_dim=out_dim) for _ in range(blocks - 1)]
            self.stages.append(nn.Sequential(first, *others))
            in_dim = out_dim
        self.channels = tuple(widths)

    def forward(self, image: Tensor) -> ImageFeatures:
        """Run the tower.

        Args:
            image: normalised image (B, 3, H, W), H and W divisible by 16.

        Returns:
            Four maps (B, C_i, H / s_i, W / s_i) with s = 2, 4, 8, 16.
        """
        x = self.stem(image)
        maps = [x]
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return ImageFeatures(maps=tuple(maps), strides=self.strides)
