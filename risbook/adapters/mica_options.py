"""Sizes and choices of MiCA's adapters, and the repairs of the released code among them.

The defaults are those of the released configuration for RefCOCO (MiCA, Li et al., 2026). Five
options depart from the released code; each is off by default.

| option | released code | repair |
|---|---|---|
| `CAAConfig.condition` | "start", the start token | "end", the end token |
| `GLiAConfig.spatial_dims` | 1: kernels along the sequence | 2: kernels on the grid of patches |
| `CAAConfig.add_mixture` | the convolution is only the query | it is added to the output as well |
| `zero_init` of all four | the tower starts changed | the tower starts unchanged |
| `mask_padding` of the three that read text | padding is read | padding is masked |
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from risbook.config import BlockIndices, Probability, Size, configuration
from risbook.layers.attention import check_num_heads
from risbook.layers.convolutions import SpatialDims

Condition = Literal["start", "end", "none"]


@configuration
class GLiAConfig:
    """Sizes and choices of GLiA in the image tower; the defaults are the released ones.

    Args:
        blocks: blocks with a GLiA, counted from 0.
        bottleneck_dim: r; see `GLiA` for this and the others.
        num_heads: heads of the self-attention, which divide r.
        dropout: probability that an attention weight is dropped in training.
        spatial_dims: 1 for kernels along the sequence of tokens, 2 for kernels on the grid.
        zero_init: whether the tower starts unchanged; not as released.
    """

    #: values of a system without this adapter, ``glia=None``
    without: ClassVar[Mapping[str, Any]] = {"blocks": []}

    blocks: BlockIndices = (1, 5, 9)
    bottleneck_dim: Size = 128
    num_heads: Size = 4
    dropout: Probability = 0.1
    spatial_dims: SpatialDims = 1
    zero_init: bool = False

    def __post_init__(self) -> None:
        check_num_heads(self.num_heads, self.bottleneck_dim, name="bottleneck_dim")


@configuration
class CAAConfig:
    """Sizes and choices of CAA in the image tower; the defaults are the released ones.

    Args:
        blocks: blocks with a CAA, counted from 0.
        bottleneck_dim: r; see `CAA` for this and the others.
        attn_dim: channels of the cross-attention.
        num_heads: its heads, which divide `attn_dim`.
        dropout: probability that an attention weight is dropped in training.
        condition: what FiLM reads: the "start" token, the "end" token of each sentence, or "none"
            for a CAA without FiLM.
        film_projected: whether FiLM reads it after the projection to `attn_dim` channels.
        mask_padding: whether padding of the text is masked; in the released code it takes part.
        add_mixture: whether the convolution is added to the output; not as released.
        zero_init: whether the tower starts unchanged; not as released.
    """

    #: values of a system without this adapter, ``caa=None``
    without: ClassVar[Mapping[str, Any]] = {"blocks": []}

    blocks: BlockIndices = (3, 7, 11)
    bottleneck_dim: Size = 128
    attn_dim: Size = 128
    num_heads: Size = 8
    dropout: Probability = 0.1
    condition: Condition = "start"
    film_projected: bool = False
    mask_padding: bool = False
    add_mixture: bool = False
    zero_init: bool = False

    def __post_init__(self) -> None:
        check_num_heads(self.num_heads, self.attn_dim, name="attn_dim")


@configuration
class TextMiCAConfig:
    """Sizes and choices of GLiA or CAA in the text tower; the defaults are the released ones.

    Args:
        blocks: blocks with the adapter, counted from 0.
        bottleneck_dim: r; see `GLiA` and `TextCAA` for this and the others.
        num_heads: heads of the self-attention, which divide r.
        dropout: probability that an attention weight is dropped in training.
        mask_padding: whether padding is masked; in the released code it takes part.
        zero_init: whether the tower starts unchanged; not as released.
    """

    #: values of a system without this adapter, for instance ``text_glia=None``
    without: ClassVar[Mapping[str, Any]] = {"blocks": []}

    blocks: BlockIndices
    bottleneck_dim: Size = 64
    num_heads: Size = 4
    dropout: Probability = 0.1
    mask_padding: bool = False
    zero_init: bool = False

    def __post_init__(self) -> None:
        check_num_heads(self.num_heads, self.bottleneck_dim, name="bottleneck_dim")
