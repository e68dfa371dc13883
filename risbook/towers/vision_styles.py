"""The styles of vision transformers: what CLIP's ViT and DINOv2 differ in.

- CLIP (Radford et al., 2021): a class token with its own position embedding, a norm before the
  blocks, QuickGELU, and a projection into the space that it shares with the text tower.
- DINOv2 (Oquab et al., 2024; with registers: Darcet et al., 2024): register tokens between the
  class token and the patches, LayerScale, exact GELU, no projection.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from risbook.layers.pos_embed import Grid, resize_clip_pos_embed, resize_dinov2_pos_embed
from risbook.layers.quick_gelu import QuickGELU


@dataclass(frozen=True, kw_only=True)
class VisionStyle:
    """The choices in which styles of vision transformers differ.

    Args:
        class_pos_embed: whether the class token has a position embedding, the first row.
        pre_norm: whether there is a norm before the blocks.
        layer_scale: whether LayerScale multiplies the output of each branch.
        activation: of the MLPs, a name of timm or a class.
        norm_eps: added to the variance in every norm.
        resize: the rule that brings position embeddings to another grid.
        resized_once: whether a system resizes the embeddings when it is built, so that the resized
            ones can be tuned, as ETRIS does; otherwise each forward pass resizes them.
    """

    class_pos_embed: bool
    pre_norm: bool
    layer_scale: bool
    activation: str | type[nn.Module]
    norm_eps: float
    resize: Callable[[Tensor, Grid], Tensor]
    resized_once: bool


STYLES: dict[str, VisionStyle] = {
    "clip": VisionStyle(
        class_pos_embed=True,
        pre_norm=True,
        layer_scale=False,
        activation=QuickGELU,
        norm_eps=1e-5,
        resize=resize_clip_pos_embed,
        resized_once=True,
    ),
    "dinov2": VisionStyle(
        class_pos_embed=False,
        pre_norm=False,
        layer_scale=True,
        activation="gelu",
        norm_eps=1e-6,
        resize=resize_dinov2_pos_embed,
        resized_once=False,
    ),
}
