"""CLIP's attention pool: one vector for an image, or, as in CRIS and ETRIS, a map.

CLIP's ResNets end in attention instead of average pooling (Radford et al., 2021, "Learning
transferable visual models from natural language supervision", section 2.4): the mean of all
positions is the query, all positions are keys and values, and the output lies in the joint space of
images and sentences. CRIS (Wang et al., 2022) and ETRIS (Xu et al., 2023; released code) use every
position as a query and keep the map.
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from risbook.layers.attention import attend, check_num_heads
from risbook.layers.convolutions import conv_norm
from risbook.layers.pos_embed import resize_clip_pos_embed


class AttentionPool(nn.Module):
    """Multi-head attention over the positions of a map, with CLIP's parameter names.

    Four readings of the same weights:

    - `forward`, dense with `connect`: ReLU(attention + connect), the map of CRIS and ETRIS.
      `connect` is a 1x1 convolution and batch norm around the attention that no CLIP checkpoint
      contains: it starts random, and where the tower is frozen it stays so.
    - `forward`, dense without `connect`: the attention's output alone. No ReLU: the space shared
      with sentences has both signs.
    - `pooled`: CLIP's own image vector, not normalised.
    - `projected`: values and output projection without the attention between them (MaskCLIP,
      Zhou et al., 2022, "Extract free dense labels from CLIP", section 3.2): positions stay
      themselves, which suits a similarity of sentence and position.

    Args:
        embed_dim: C, channels of the incoming map.
        output_dim: P, channels of the outgoing map or vector.
        num_heads: attention heads; they divide C.
        pos_grid: side of the grid of position embeddings, image side / 32.
        connect: whether the dense form has the residual branch of CRIS and ETRIS.

    Raises:
        ArgumentError: if the heads do not divide the channels.
    """

    def __init__(
        self,
        *,
        embed_dim: int,
        output_dim: int,
        num_heads: int,
        pos_grid: int = 7,
        connect: bool = True,
    ) -> None:
        super().__init__()
        check_num_heads(num_heads, embed_dim, name="embed_dim")
        self.num_heads = num_heads
        # CLIP's start values: everything normal with 1 / sqrt(C) (released code).
        deviation = embed_dim**-0.5
        pos_embed = torch.randn(1 + pos_grid**2, embed_dim) * deviation
        self.positional_embedding = nn.Parameter(pos_embed)
        self.q_proj = nn.Linear(embed_dim, embed_dim)
        self.k_proj = nn.Linear(embed_dim, embed_dim)
        self.v_proj = nn.Linear(embed_dim, embed_dim)
        self.c_proj = nn.Linear(embed_dim, output_dim)
        for layer in (self.q_proj, self.k_proj, self.v_proj, self.c_proj):
            nn.init.normal_(layer.weight, std=deviation)
        self.connect = conv_norm(embed_dim, output_dim, 1) if connect else None

    def forward(self, feature_map: Tensor) -> Tensor:
        """Attention with every position as a query.

        Args:
            feature_map: map (B, C, h, w) of any grid; the position embeddings are resized to it;
                the first one (that of the mean) is left out.

        Returns:
            Map (B, P, h, w).
        """
        height, width = feature_map.shape[-2:]
        tokens = _tokens(feature_map) + self._pos_embed_for(height, width)[:, 1:]
        attended = self._attend(tokens, tokens)
        dense = rearrange(attended, "b (row column) c -> b c row column", row=height)
        return dense if self.connect is None else F.relu(dense + self.connect(feature_map))

    def pooled(self, feature_map: Tensor) -> Tensor:
        """CLIP's image vector, (B, C, h, w) to (B, P): the mean of all positions is the query."""
        tokens = _tokens(feature_map)
        tokens = torch.cat([tokens.mean(dim=1, keepdim=True), tokens], dim=1)
        tokens = tokens + self._pos_embed_for(*feature_map.shape[-2:])
        return self._attend(tokens[:, :1], tokens).squeeze(1)

    def projected(self, feature_map: Tensor) -> Tensor:
        """Each position on its own in the space of the sentences: (B, C, h, w) to (B, P, h, w)."""
        tokens: Tensor = self.c_proj(self.v_proj(_tokens(feature_map)))
        return rearrange(tokens, "b (row column) c -> b c row column", row=feature_map.shape[-2])

    def _pos_embed_for(self, height: int, width: int) -> Tensor:
        return resize_clip_pos_embed(self.positional_embedding[None], (height, width))

    def _attend(self, queries: Tensor, tokens: Tensor) -> Tensor:
        query, key, value = (
            rearrange(layer(x), "b token (head c) -> b head token c", head=self.num_heads)
            for layer, x in (
                (self.q_proj, queries),
                (self.k_proj, tokens),
                (self.v_proj, tokens),
            )
        )
        attended = attend(query, key, value)
        output: Tensor = self.c_proj(rearrange(attended, "b head token c -> b token (head c)"))
        return output


def _tokens(feature_map: Tensor) -> Tensor:
    return rearrange(feature_map, "b c row column -> b (row column) c")
