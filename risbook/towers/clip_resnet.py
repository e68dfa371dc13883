"""CLIP's ResNet image towers (RN50, RN101, and small ones of the same make), stage by stage.

Radford et al., 2021, section 2.4: a ResNet with three stem convolutions, average pools in place of
strides, and an attention pool at the end. The body is timm's `ByobNet` as timm configures
`resnet50_clip`; what timm lacks is running it stage by stage, so that an adapter can work between
two stages, and the dense attention pool of CRIS and ETRIS.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from risbook.errors import ArgumentError, DataError
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.layers.pos_embed import Grid, resize_clip_pos_embed
from risbook.towers.attention_pool import AttentionPool
from risbook.towers.stages import StageContext, StagedImageTower

#: stride of the coarsest map, pixels
RESNET_STRIDE = 32


class CLIPResNet(StagedImageTower):
    """An image tower of four layers at strides 4, 8, 16 and 32, then the attention pool.

    Parameters stand under timm's names in `body` (as in timm's ``resnet50_clip.openai``, without
    its head) and under OpenAI's names in `attention_pool`.

    In training mode the batch norms use the batch and update their running statistics although
    their weights are frozen. The released ETRIS, whose frozen tower is in training mode, does so.
    `norm_eval` keeps those of the body in evaluation mode; that of `connect`, which no checkpoint
    contains, still learns its statistics.

    Args:
        layers: bottleneck blocks in each layer; RN50 (3, 4, 6, 3), RN101 (3, 4, 23, 3).
        width: channels of the stem, even; the four layers have 4, 8, 16 and 32 times as many, and
            C below is 32 width.
        output_dim: P, channels of the attention pool; RN50 1024, RN101 512.
        num_heads: heads of the attention pool; they divide C.
        pos_grid: side of the grid of position embeddings, training image side / 32.
        connect: whether the dense attention pool has the residual branch of CRIS and ETRIS.
        norm_eval: never use or update the statistics of a batch in the body.

    Raises:
        ArgumentError: if the width is odd, or the heads do not divide C.
    """

    architecture = "resnet"
    shares_images = True
    lora_targets = r"attention_pool\.(q|k|v|c)_proj"
    strides = (8, 16, RESNET_STRIDE)
    image_step = RESNET_STRIDE
    norm_eval_excludes = ("attention_pool",)

    def __init__(
        self,
        *,
        layers: Sequence[int] = (3, 4, 6, 3),
        width: int = 64,
        output_dim: int = 1024,
        num_heads: int = 32,
        pos_grid: int = 7,
        connect: bool = True,
        norm_eval: bool = False,
    ) -> None:
        super().__init__()
        if width < 2 or width % 2 or len(layers) != 4:
            raise ArgumentError(
                f"CLIP ResNet of width {width} and layers {tuple(layers)}: "
                "the width has to be even and the layers have to be four numbers"
            )
        self.body = _body(layers=layers, width=width)
        self.attention_pool = AttentionPool(
            embed_dim=32 * width,
            output_dim=output_dim,
            num_heads=num_heads,
            pos_grid=pos_grid,
            connect=connect,
        )
        self.width = width
        self.norm_eval = norm_eval
        self.pos_grid = pos_grid

    def stem(self, images: Tensor) -> Tensor:
        """Three convolutions and an average pool: (B, 3, H, W) to (B, width, H / 4, W / 4).

        Raises:
            DataError: if H or W is not divisible by 32.
        """
        height, width = images.shape[-2:]
        if height % RESNET_STRIDE or width % RESNET_STRIDE or not height or not width:
            raise DataError(
                f"image of {height} x {width} pixels (height x width): "
                f"a CLIP ResNet needs both sides divisible by {RESNET_STRIDE}; resize or pad it"
            )
        feature_map: Tensor = self.body.get_submodule("stem")(images)
        return feature_map

    def forward_layer(self, feature_map: Tensor, layer: int) -> Tensor:
        """Run layer 1 to 4, as OpenAI counts; layers 2 to 4 halve height and width.

        Args:
            feature_map: the map after the stem, the previous layer, or an adapter.
            layer: its number; its map has 2^(layer + 1) width channels.
        """
        if not 1 <= layer <= 4:
            raise ArgumentError(f"layer {layer}: a CLIP ResNet has the layers 1 to 4")
        output: Tensor = self.body.get_submodule(f"stages.{layer - 1}")(feature_map)
        return output

    def pooled(self, images: Tensor) -> Tensor:
        """CLIP's vectors (B, P), not normalised, of normalised images (B, 3, H, W)."""
        return self.attention_pool.pooled(self._last_layer(images))

    def pooled_with_map(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The result of `pooled`, (B, P), and the dense map of the attention pool, (B, P, h, w)."""
        feature_map = self._last_layer(images)
        return self.attention_pool.pooled(feature_map), self.attention_pool(feature_map)

    def _last_layer(self, images: Tensor) -> Tensor:
        """The map (B, C, h, w) of layer 4."""
        feature_map = self.stem(images)
        for layer in (1, 2, 3, 4):
            feature_map = self.forward_layer(feature_map, layer)
        return feature_map

    # The interface of `risbook.towers.stages`: stages 1, 2 and 3 are layers 2, 3 and 4.

    @property
    def stage_dims(self) -> tuple[int, ...]:
        """Channels of the maps of layers 2, 3 and 4."""
        return (8 * self.width, 16 * self.width, 32 * self.width)

    @property
    def stage_in_dims(self) -> tuple[int, ...]:
        """Channels of the maps of layers 1, 2 and 3."""
        return (4 * self.width, *self.stage_dims[:-1])

    @property
    def output_dim(self) -> int:
        """P, channels of the attention pool."""
        return self.attention_pool.c_proj.out_features

    @property
    def pos_embed(self) -> nn.Parameter:
        """The learned position embeddings of the attention pool, (1 + pos_grid^2, C)."""
        return self.attention_pool.positional_embedding

    def resize_pos_embed(self, pos_embed: Tensor, grid: Grid) -> Tensor:
        """Position embeddings (1 + s * s, C) for another grid (h, w): (1 + h * w, C)."""
        return resize_clip_pos_embed(pos_embed[None], grid)[0]

    def set_stages(self, out_indices: Sequence[int] | None = None) -> None:
        """Nothing to set: the stages are layers 2, 3 and 4.

        Raises:
            ArgumentError: if other stages are wanted.
        """
        if out_indices:
            raise ArgumentError(
                f"out_indices is {list(out_indices)}, but the stages of a CLIP ResNet are its "
                "layers 2, 3 and 4; leave out_indices empty"
            )

    def begin_stages(
        self, inputs: Tensor, *, intermediates: Intermediates = NO_INTERMEDIATES
    ) -> Tensor:
        """Stem and layer 1 of images (B, 3, H, W); records both as "stem" and "layer1"."""
        feature_map = intermediates["stem"] = self.stem(inputs)
        feature_map = intermediates["layer1"] = self.forward_layer(feature_map, 1)
        return feature_map

    def run_stage(
        self,
        stage: int,
        state: Tensor,
        *,
        context: StageContext | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Run a stage, counted from 1: stage 1 is layer 2; records its map.

        A ResNet has no sites for adapters, so nothing in it can read the context.
        """
        feature_map = self.forward_layer(state, stage + 1)
        intermediates.sub("stages")[str(stage)] = feature_map
        return feature_map

    def stage_map(self, state: Tensor) -> Tensor:
        """The map itself."""
        return state

    def with_stage_map(self, state: Tensor, feature_map: Tensor) -> Tensor:
        """The new map."""
        return feature_map

    def select_rows(self, state: Tensor, rows: Tensor) -> Tensor:
        """The maps of these rows."""
        return state[rows]

    def final_map(
        self,
        state: Tensor,
        *,
        context: StageContext | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Layer 4's map (B, C, h, w) to the dense map (B, P, h, w), recorded as "final"."""
        feature_map: Tensor = self.attention_pool(state)
        intermediates["final"] = feature_map
        return feature_map

    def dead_parameters(self) -> int:
        """Tuned parameters without gradient: the dense pool never reads the mean's embedding."""
        return self.pos_embed.shape[1] if self.pos_embed.requires_grad else 0


def _body(*, layers: Sequence[int], width: int) -> nn.Module:
    # timm is imported here: `import risbook` has to stay light.
    from timm.models.byobnet import ByoBlockCfg, ByobNet, ByoModelCfg

    blocks = tuple(
        ByoBlockCfg(type="bottle", d=depth, c=4 * width * 2**index, s=min(2, 1 + index), br=0.25)
        for index, depth in enumerate(layers)
    )
    body: nn.Module = ByobNet(
        ByoModelCfg(
            blocks=blocks,
            stem_chs=(width // 2, width // 2, width),
            stem_type="",
            stem_pool="avg2",
            downsample="avg",
            aa_layer="avg",
            head_type="classifier",
        ),
        num_classes=0,
    )
    body.head = nn.Identity()
    for index, layer in enumerate(body.get_submodule("stages").children()):
        for block in layer.children():
            _narrow(block, width * 2**index)
    return body


def _narrow(block: Any, middle: int) -> None:
    """Give a bottleneck the middle width that CLIP has; timm rounds it up to a multiple of 8.

    Only towers narrower than CLIP's need it. New are the convolutions that read or write the middle
    channels, and the batch norms of these channels.
    """
    first, second, last = block.conv1_1x1, block.conv2_kxk, block.conv3_1x1
    if first.conv.out_channels == middle:
        return
    first.conv = nn.Conv2d(first.conv.in_channels, middle, 1, bias=False)
    second.conv = nn.Conv2d(middle, middle, 3, padding=1, bias=False)
    last.conv = nn.Conv2d(middle, last.conv.out_channels, 1, bias=False)
    for conv_norm in (first, second):
        conv_norm.bn = type(conv_norm.bn)(middle)
