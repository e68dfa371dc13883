"""Hierarchical alignment, the neck of ETRIS: three maps and the sentence embedding become one map.

ETRIS (Xu et al., 2023), section 3.3, after CRIS (Wang et al., 2022); released code. Each stage's
map is brought to one size and dimension and multiplied by a gate from the sentence; the three are
concatenated, reduced, and given coordinates.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from risbook.decoder.neck import Neck
from risbook.errors import ArgumentError
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.layers.attention import tuned_query_key_parameters
from risbook.layers.convolutions import CoordConv, conv_norm_relu, resize_norm_relu
from risbook.towers.features import TextFeatures


class SentenceGate(nn.MultiheadAttention):
    """Cross-attention with one single key, computed as the gate that it is.

    In the released code every position attends to the sentence embedding. A softmax over one key is
    1 whatever the query is, so the output is the same at all positions: the sentence embedding,
    through value and output projection. The weights of query and key are kept so that checkpoints
    fit; no gradient ever reaches them.

    Args:
        dim: C.
    """

    def __init__(self, dim: int) -> None:
        super().__init__(dim, num_heads=1)  # with one key, more heads compute the same

    def dead_parameters(self) -> int:
        """Tuned parameters without effect: weights and biases of query and key."""
        return tuned_query_key_parameters(self)

    def forward(self, sentence_embedding: Tensor) -> Tensor:  # type: ignore[override]
        """Sentence embeddings (B, C) to gates (B, C)."""
        dim = self.embed_dim
        value = F.linear(
            sentence_embedding, self.in_proj_weight[2 * dim :], self.in_proj_bias[2 * dim :]
        )
        gate: Tensor = self.out_proj(value)
        return gate


class GatedFusion(nn.Module):
    """A map times the sentence's gate, channel by channel.

    Args:
        dim: C of map and sentence embedding.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.multihead_attn = SentenceGate(dim)  # its name in checkpoints

    def forward(self, feature_map: Tensor, sentence_embedding: Tensor) -> Tensor:
        """Map (B, C, h, w) and sentence embeddings (B, C) to a map (B, C, h, w)."""
        gate: Tensor = self.multihead_attn(sentence_embedding)
        return feature_map * gate[..., None, None]


class HierarchicalAlignment(Neck):
    """Three maps (B, C_i, h_i, w_i) and the sentence embedding (B, P) to one map (B, C, h, w).

    Each map is resized to the grid of the middle one and multiplied by its gate from the sentence;
    convolutions fuse the three.

    Args:
        map_dims: channels of the three maps, fine to coarse.
        factors: side of the output divided by the side of each map, n or 1 / n; (1 / 2, 1, 2) for a
            ResNet, (1, 1, 1) for a vision transformer.
        sentence_dim: P, channels of the sentence embedding.
        dim: C, channels of the output.
        residual: whether the fused map without coordinates is added to the output, as in the
            released code of DETRIS (Huang et al., 2025); ETRIS does not.

    Raises:
        ArgumentError: if there are not three maps.
    """

    def __init__(
        self,
        *,
        map_dims: Sequence[int],
        factors: Sequence[float],
        sentence_dim: int,
        dim: int,
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.residual = residual
        if len(map_dims) != 3 or len(factors) != 3:
            raise ArgumentError(
                f"hierarchical alignment takes three maps; map_dims {tuple(map_dims)}, "
                f"factors {tuple(factors)}"
            )
        self.txt_proj = nn.Linear(sentence_dim, dim)
        self.f3_proj = resize_norm_relu(map_dims[0], dim, factors[0])
        self.f4_proj = resize_norm_relu(map_dims[1], dim, factors[1])
        # transposed even where the size is right: released checkpoints store the weight that way
        self.f5_proj = resize_norm_relu(map_dims[2], dim, factors[2], transpose=True)
        self.fusion3, self.fusion4, self.fusion5 = (GatedFusion(dim) for _ in range(3))
        self.aggr = conv_norm_relu(3 * dim, dim)
        self.coordconv = nn.Sequential(CoordConv(dim, dim), conv_norm_relu(dim, dim, 3))

    def forward(
        self,
        maps: Sequence[Tensor],
        text_features: TextFeatures,
        *,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Fuse three maps and a sentence embedding.

        Args:
            maps: (B, C_i, h_i, w_i), fine to coarse.
            text_features: only the sentence embedding (B, P) is used.
            intermediates: gets "stages.1" to "stages.3", the gated maps (B, C, h, w).

        Returns:
            (B, C, h, w), the size of the middle map.
        """
        sentence_embedding = self.txt_proj(text_features.sentence_embedding)  # (B, C)
        # the released names count the layers of a ResNet: stage 1 is its f3
        gated = [
            self.fusion3(self.f3_proj(maps[0]), sentence_embedding),  # (B, C, h, w), as the others
            self.fusion4(self.f4_proj(maps[1]), sentence_embedding),
            self.fusion5(self.f5_proj(maps[2]), sentence_embedding),
        ]
        for stage, feature_map in enumerate(gated, start=1):
            intermediates.sub("stages")[str(stage)] = feature_map
        aggregated: Tensor = self.aggr(torch.cat(gated, dim=1))
        fused: Tensor = self.coordconv(aggregated)
        return fused + aggregated if self.residual else fused
