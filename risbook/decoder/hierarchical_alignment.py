"""Hierarchical alignment, the neck of ETRIS: three stages and the sentence become one map.

ETRIS (Xu et al., 2023), section 3.3, after CRIS (Wang et al., 2022); released code. Each stage's
map is brought to one size and width and multiplied by what the sentence makes of it; the three
are joined and told where everything lies.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from risbook.adapters.zoom_layer import whole_factor
from risbook.decoder.convolutions import CoordConv, conv_norm_relu, enlarge_norm_relu
from risbook.errors import RisbookError


class SentenceGate(nn.MultiheadAttention):
    """Cross-attention with one single key, computed as the gate that it is.

    The released code lets every position attend to the sentence. A softmax over one key is 1
    whatever the query says, so the answer is the same at all positions: the sentence, through
    value and output projection. The weights of query and key are kept so that checkpoints fit;
    no gradient ever reaches them.

    Args:
        width: width C.
        heads: heads of the released module; they make no difference.
    """

    def __init__(self, width: int, heads: int = 8) -> None:
        super().__init__(width, heads)

    @property
    def dead(self) -> int:
        """Parameters without effect: query's and key's weights and biases."""
        width = int(self.embed_dim)
        return 2 * width * (width + 1)

    def forward(self, sentence: Tensor) -> Tensor:  # type: ignore[override]
        """Sentences (B, C) to gates (B, C)."""
        value = F.linear(
            sentence,
            self.in_proj_weight[2 * self.embed_dim :],
            self.in_proj_bias[2 * self.embed_dim :],
        )
        gate: Tensor = self.out_proj(value)
        return gate


class Gated(nn.Module):
    """A map times what the sentence says, channel by channel.

    Args:
        width: width C of map and sentence.
        heads: see `SentenceGate`.
    """

    def __init__(self, width: int, heads: int = 8) -> None:
        super().__init__()
        self.multihead_attn = SentenceGate(width, heads)

    def forward(self, features: Tensor, sentence: Tensor) -> Tensor:
        """Map (B, C, H, W) and sentences (B, C) to a map (B, C, H, W)."""
        gate: Tensor = self.multihead_attn(sentence)
        return features * gate[..., None, None]


class HierarchicalAlignment(nn.Module):
    """The neck.

    Args:
        channels: channels of the three maps, fine to coarse.
        scales: how many times larger (1 / n: smaller) each map has to become; (1 / 2, 1, 2) for a
            ResNet, (1, 1, 1) for a vision transformer.
        sentence_width: width of the sentence vector.
        width: width C of the outgoing map.
        heads: see `SentenceGate`.

    Raises:
        RisbookError: if there are not three maps.
    """

    def __init__(
        self,
        *,
        channels: Sequence[int],
        scales: Sequence[float],
        sentence_width: int,
        width: int = 512,
        heads: int = 8,
    ) -> None:
        super().__init__()
        if len(channels) != 3 or len(scales) != 3:
            raise RisbookError(
                f"hierarchical alignment joins three maps; channels {tuple(channels)}, "
                f"scales {tuple(scales)}"
            )
        self.txt_proj = nn.Linear(sentence_width, width)
        self.f3_proj = bring_to_size(channels[0], width, scales[0])
        self.f4_proj = bring_to_size(channels[1], width, scales[1])
        # transposed even where the size is right: released checkpoints keep the weight that way
        self.f5_proj = bring_to_size(channels[2], width, scales[2], transpose=True)
        self.fusion3, self.fusion4, self.fusion5 = (Gated(width, heads) for _ in range(3))
        self.aggr = conv_norm_relu(3 * width, width)
        self.coordconv = nn.Sequential(CoordConv(width, width), conv_norm_relu(width, width, 3))

    def forward(
        self,
        maps: Sequence[Tensor],
        sentence: Tensor,
        *,
        record: dict[str, Tensor] | None = None,
    ) -> Tensor:
        """Join three maps under a sentence.

        Args:
            maps: (B, C_i, H_i, W_i), fine to coarse.
            sentence: (B, S).
            record: gets "stage 3", "stage 4" and "stage 5", the gated maps (B, C, H, W), counted
                as ResNets count the stages that they come from.

        Returns:
            (B, C, H, W), the size of the middle map.
        """
        said = self.txt_proj(sentence)
        bring = (self.f3_proj, self.f4_proj, self.f5_proj)
        gate = (self.fusion3, self.fusion4, self.fusion5)
        gated = [g(b(one), said) for g, b, one in zip(gate, bring, maps, strict=True)]
        if record is not None:
            record |= {f"stage {number}": one for number, one in enumerate(gated, start=3)}
        joined: Tensor = self.coordconv(self.aggr(torch.cat(gated, dim=1)))
        return joined


def bring_to_size(
    inputs: int, width: int, scale: float, *, transpose: bool = False
) -> nn.Sequential:
    """A layer that brings a map to another size and width, batch norm, ReLU.

    Args:
        inputs: channels that come in.
        width: channels that go out.
        scale: how many times larger the outgoing map is: n or 1 / n for a whole number n.
        transpose: whether a layer of scale 1 is a transposed convolution.

    Raises:
        RisbookError: for another scale.
    """
    up, down = whole_factor(scale)
    if up > 1 or (transpose and down == 1):
        return enlarge_norm_relu(inputs, width, up)
    return conv_norm_relu(inputs, width, down, stride=down)
