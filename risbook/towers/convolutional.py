"""An image network that is trained from scratch: the image half of the first model.

A small residual network of basic blocks. Nothing in it is pretrained.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from risbook.layers.convolutions import BasicBlock, conv_norm
from risbook.towers.features import ImageFeatures


class ConvolutionalTower(nn.Module):
    """A residual network that returns its maps at strides 2, 4, 8 and 16.

    Args:
        map_dims: channels of the stem and of the three stages.
        blocks: basic blocks in each of the three stages.
    """

    strides = (2, 4, 8, 16)

    def __init__(self, *, map_dims: Sequence[int] = (32, 64, 128, 192), blocks: int = 2) -> None:
        super().__init__()
        in_dim, *stage_dims = map_dims
        self.stem = nn.Sequential(conv_norm(3, in_dim, stride=2), nn.ReLU())
        self.stages = nn.ModuleList()
        for out_dim in stage_dims:
            first = BasicBlock(in_dim=in_dim, out_dim=out_dim, stride=2)
            others = [BasicBlock(in_dim=out_dim, out_dim=out_dim) for _ in range(blocks - 1)]
            self.stages.append(nn.Sequential(first, *others))
            in_dim = out_dim
        self.map_dims = tuple(map_dims)
        self.output_dim = self.map_dims[-1]

    def forward(self, images: Tensor) -> ImageFeatures:
        """Run the tower.

        Args:
            images: normalised images (B, 3, H, W), H and W divisible by 16.

        Returns:
            Four maps (B, C_i, H / s_i, W / s_i) with s = 2, 4, 8, 16.
        """
        x = self.stem(images)
        maps = [x]
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return ImageFeatures(maps=tuple(maps), strides=self.strides)
