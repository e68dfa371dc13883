"""Where DETRIS' adapters stand in frozen blocks: both of them beside the MLP, at a scale of 0.2.

DETRIS (Huang et al., 2025); released code. With x the tokens that come to the MLP's branch, t the
text tokens, s = 0.2, and LayerScale gamma of DINOv2:

$$\\text{image:} \\quad x + \\gamma\\, (\\text{MLP}(\\bar x) + s\\,\\text{DA}(\\bar x, t))
\\qquad \\text{text:} \\quad x + \\text{MLP}(\\bar x) + s\\,\\text{TA}(x)$$

with $\\bar x$ = norm(x).

So the Dense Aligner reads the tokens after the norm, and its result passes LayerScale; the Text
Adapter reads the tokens before the norm. The paper's figure draws both adapters before the norm,
added after the MLP without a scale, in every block. For that, set `wiring="figure"` (the Dense
Aligner), ``scale=1.0``, ``squeeze=False`` and all `blocks`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from risbook.adapters.dense_aligner import DenseAligner
from risbook.adapters.text_adapter import TextAdapter
from risbook.config import BlockIndices, Probability, Size, configuration
from risbook.layers.attention import check_num_heads
from risbook.towers.sites import Placement, Site
from risbook.towers.transformer_tower import TransformerTower

Wiring = Literal["released", "figure"]
BottleneckDim = Annotated[int, Field(ge=16, le=65536, multiple_of=16)]

#: kernel sizes of the branches of D-MoC, odd
KernelSizes = Annotated[tuple[Annotated[int, Field(ge=1, le=99)], ...], Field(min_length=1)]

#: every second block of twelve, as released for the B model
EVERY_SECOND = (1, 3, 5, 7, 9, 11)


@configuration
class DenseAlignerConfig:
    """Sizes and choices of the Dense Aligners; the defaults are the released ones for DINOv2-B.

    Args:
        blocks: blocks of the image tower with a Dense Aligner, counted from 0.
        bottleneck_dim: r, a multiple of 16; see `DenseAligner` for this and the next three.
        attn_dim: channels of the cross-attention.
        num_heads: its heads, which divide `attn_dim`.
        dropout: probability that an attention weight is dropped in training.
        scale: s, by which the output is multiplied.
        wiring: "released", or what the paper's "figure" draws, see `AlignerPlacement`.
        squeeze: whether 1x1 convolutions stand before the larger ones, see `DMoC`.
        kernel_sizes: of the branches of D-MoC, see `DMoC`.
        mask_padding: whether padding of the text is masked; in the released code it takes part.
        add_mixture: whether D-MoC is added to the output, see `DenseAligner`; not as released.
        zero_init: whether the tower starts unchanged, see `DenseAligner`; not as released.
    """

    #: values of a system without Dense Aligners, ``aligner=None``
    without: ClassVar[Mapping[str, Any]] = {"blocks": []}

    blocks: BlockIndices = EVERY_SECOND
    bottleneck_dim: BottleneckDim = 128
    attn_dim: Size = 128
    num_heads: Size = 8
    dropout: Probability = 0.1
    scale: float = 0.2
    wiring: Wiring = "released"
    squeeze: bool = True
    kernel_sizes: KernelSizes = (1, 3, 5)
    mask_padding: bool = False
    add_mixture: bool = False
    zero_init: bool = False

    def __post_init__(self) -> None:
        check_num_heads(self.num_heads, self.attn_dim, name="attn_dim")


@configuration
class TextAdapterConfig:
    """Sizes and choices of the Text Adapters; the defaults are the released ones.

    Args:
        blocks: blocks of the text tower with a Text Adapter, counted from 0.
        bottleneck_dim: r, a multiple of 16.
        scale: s, by which the output is multiplied.
        squeeze: whether 1x1 convolutions stand before the larger ones, see `DMoC`.
        kernel_sizes: of the branches of D-MoC, see `DMoC`.
        zero_init: whether the tower starts unchanged, see `TextAdapter`; not as released.
    """

    #: values of a system without Text Adapters, ``text_adapter=None``
    without: ClassVar[Mapping[str, Any]] = {"blocks": []}

    blocks: BlockIndices = EVERY_SECOND
    bottleneck_dim: BottleneckDim = 64
    scale: float = 0.2
    squeeze: bool = True
    kernel_sizes: KernelSizes = (1, 3, 5)
    zero_init: bool = False


class AlignerPlacement(Placement):
    """A Dense Aligner beside the MLP of an image tower; the tower runs with a `StageContext`.

    Args:
        adapter: a `DenseAligner`, or another module with its `forward`.
        scale: s, by which the output is multiplied.
        wiring: "released": scale(out + s DA(normed)), where `Site` explains the other names;
            "figure": scale(out) + s DA(x).
        mask_padding: whether padding of the text is masked.
    """

    def __init__(
        self,
        adapter: DenseAligner,
        *,
        scale: float = 0.2,
        wiring: Wiring = "released",
        mask_padding: bool = False,
    ) -> None:
        super().__init__(adapter)
        self.scale = scale
        self.wiring = wiring
        self.mask_padding = mask_padding

    def forward(self, site: Site) -> Tensor:
        """The sum that the block adds to its tokens, (B, N, C).

        Raises:
            ArgumentError: if the tower runs without a text.
        """
        context = site.require_context("a Dense Aligner reads the text")
        is_released = self.wiring == "released"
        aligned: Tensor = self.adapter(
            site.normed if is_released else site.x,
            context.text_tokens,
            grid=site.grid,
            num_extra_tokens=site.num_extra_tokens,
            key_padding_mask=context.key_padding_mask if self.mask_padding else None,
            intermediates=site.intermediates,
        )
        if is_released:
            return site.scale(site.out + self.scale * aligned)
        return site.scale(site.out) + self.scale * aligned


class TextAdapterPlacement(Placement):
    """A Text Adapter beside the MLP of a text tower: scale(out) + s TA(x), see `Site`.

    Args:
        adapter: a `TextAdapter`, or another module with its `forward`.
        scale: s, by which the output is multiplied.
    """

    def __init__(self, adapter: TextAdapter, *, scale: float = 0.2) -> None:
        super().__init__(adapter)
        self.scale = scale

    def forward(self, site: Site) -> Tensor:
        """The sum that the block adds to its tokens, (B, L, T)."""
        adapted: Tensor = self.adapter(site.x, num_extra_tokens=site.num_extra_tokens)
        return site.scale(site.out) + self.scale * adapted


def add_dense_aligners(
    tower: TransformerTower, config: DenseAlignerConfig, *, text_dim: int
) -> None:
    """Put a new Dense Aligner beside the MLP of each chosen block of an image tower.

    Args:
        tower: the image tower, frozen by the caller.
        config: sizes and choices.
        text_dim: T, channels of the text tokens.

    Raises:
        ArgumentError: if the tower has no such block, or an adapter stands there.
    """
    for block in config.blocks:
        aligner = DenseAligner(
            dim=tower.embed_dim,
            text_dim=text_dim,
            bottleneck_dim=config.bottleneck_dim,
            attn_dim=config.attn_dim,
            num_heads=config.num_heads,
            dropout=config.dropout,
            add_mixture=config.add_mixture,
            zero_init=config.zero_init,
            squeeze=config.squeeze,
            kernel_sizes=config.kernel_sizes,
        )
        placement = AlignerPlacement(
            aligner,
            scale=config.scale,
            wiring=config.wiring,
            mask_padding=config.mask_padding,
        )
        tower.add_adapter(block, "mlp", placement)


def add_text_adapters(tower: TransformerTower, config: TextAdapterConfig) -> None:
    """Put a new Text Adapter beside the MLP of each chosen block of a text tower.

    Args:
        tower: the text tower, frozen by the caller.
        config: sizes and choices.

    Raises:
        ArgumentError: if the tower has no such block, or an adapter stands there.
    """
    for block in config.blocks:
        adapter = TextAdapter(
            dim=tower.embed_dim,
            bottleneck_dim=config.bottleneck_dim,
            zero_init=config.zero_init,
            squeeze=config.squeeze,
            kernel_sizes=config.kernel_sizes,
        )
        tower.add_adapter(block, "mlp", TextAdapterPlacement(adapter, scale=config.scale))
