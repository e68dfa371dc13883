"""An image network that starts from random weights: the classic half of the first model.

A small residual network (He et al., 2016, "Deep residual learning for image recognition",
figure 5 left, the basic block). Nothing in it is pretrained.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from risbook.towers.features import ImageFeatures


def conv_norm(inputs: int, outputs: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """A 3x3 convolution without bias and its batch norm, the pair that blocks are made of."""
    return nn.Sequential(
        nn.Conv2d(
            inputs, outputs, 3, stride=stride, padding=dilation, dilation=dilation, bias=False
        ),
        nn.BatchNorm2d(outputs),
    )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut: x + f(x), then ReLU.

    Args:
        inputs: input channels.
        outputs: output channels.
        stride: stride of the first convolution.
        dilation: dilation of both convolutions; widens what one position sees.
    """

    def __init__(self, *, inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.first = conv_norm(inputs, outputs, stride=stride, dilation=dilation)
        self.second = conv_norm(outputs, outputs, dilation=dilation)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        hidden = F.relu(self.first(x))
        return F.relu(self.shortcut(x) + self.second(hidden))


class ConvolutionalTower(nn.Module):
    """A residual network that hands out its maps at strides 2, 4, 8 and 16.

    Args:
        widths: channels of the stem and of the three stages.
        blocks: basic blocks in each of the three stages.
    """

    strides = (2, 4, 8, 16)

    def __init__(self, *, widths: Sequence[int] = (32, 64, 128, 192), blocks: int = 2) -> None:
        super().__init__()
        inputs, *others = widths
        self.stem = nn.Sequential(conv_norm(3, inputs, stride=2), nn.ReLU())
        self.stages = nn.ModuleList()
        for width in others:
            first = BasicBlock(inputs=inputs, outputs=width, stride=2)
            rest = [BasicBlock(inputs=width, outputs=width) for _ in range(blocks - 1)]
            self.stages.append(nn.Sequential(first, *rest))
            inputs = width
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
