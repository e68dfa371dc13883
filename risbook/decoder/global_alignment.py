"""Global alignment, the decoder of ETRIS: a transformer decoder over the positions of the map.

ETRIS (Xu et al., 2023), section 3.3, after CRIS (Wang et al., 2022); released code. The queries are
the map's positions. The paper attends to the sentence embedding; the released code attends to the
text tokens, and masks their padding, which it does nowhere else.
"""

from einops import rearrange
from torch import Tensor, nn

from risbook.decoder.sine_pos_embed import sine_pos_embed_1d, sine_pos_embed_2d
from risbook.errors import ArgumentError
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.layers.attention import MultiHeadAttention, check_num_heads, tuned_query_key_parameters


class GlobalAlignmentLayer(nn.Module):
    """One layer: self-attention, cross-attention, feed-forward, with norms before and after each.

    Args:
        dim: C, channels of image and text tokens.
        num_heads: attention heads.
        ffn_dim: channels inside the feed-forward layer.
        dropout: probability of dropping an attention weight, a value inside the feed-forward
            layer, or a value of a branch before it is added.
    """

    def __init__(self, dim: int, num_heads: int, *, ffn_dim: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = MultiHeadAttention(dim, num_heads, dropout=dropout)
        # cross-attention; the name is that of the released code and of torch's decoder layer
        self.multihead_attn = MultiHeadAttention(dim, num_heads, dropout=dropout)
        self.ffn = nn.Sequential(
            nn.Linear(dim, ffn_dim),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.LayerNorm(ffn_dim),
            nn.Linear(ffn_dim, dim),
        )
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(dim) for _ in range(3))
        self.self_attn_norm = nn.LayerNorm(dim)
        self.cross_attn_norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def dead_parameters_with_one_key(self) -> int:
        """Tuned parameters without effect where the text is a single vector.

        A softmax over one key is 1 whatever the query is: weights and biases of query and key, and
        the norm in front of the query.
        """
        norm = sum(value.numel() for value in self.norm2.parameters() if value.requires_grad)
        return tuned_query_key_parameters(self.multihead_attn) + norm

    def forward(
        self,
        image_tokens: Tensor,
        text_tokens: Tensor,
        *,
        pos_embed: Tensor,
        text_pos_embed: Tensor,
        key_padding_mask: Tensor | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Run the layer.

        Args:
            image_tokens: (B, N, C).
            text_tokens: (B, L, C).
            pos_embed: of the map, (1, N, C).
            text_pos_embed: of the text, (1, L, C).
            key_padding_mask: bool (B, L), true for padding.
            intermediates: gets the weights of the cross-attention as "attn", (B, heads, N, L).

        Returns:
            (B, N, C).
        """
        value = self.norm1(image_tokens)
        query = value + pos_embed
        attn_out = self.self_attn(query, query, value)
        image_tokens = image_tokens + self.dropout(self.self_attn_norm(attn_out))
        query = self.norm2(image_tokens) + pos_embed
        attn_out = self.multihead_attn(
            query,
            text_tokens + text_pos_embed,
            text_tokens,
            key_padding_mask=key_padding_mask,
            intermediates=intermediates,
        )
        image_tokens = image_tokens + self.dropout(self.cross_attn_norm(attn_out))
        output: Tensor = image_tokens + self.dropout(self.ffn(self.norm3(image_tokens)))
        return output


class GlobalAlignment(nn.Module):
    """A transformer decoder: map (B, C, h, w) and text tokens (B, L, C) to a map (B, C, h, w).

    Every position of the map attends to all positions and to the text tokens.

    Args:
        dim: C, channels of map and text; divisible by 4 and by the heads.
        num_layers: number of layers; with 0 only the last norm is left.
        num_heads: attention heads.
        ffn_dim: channels inside the feed-forward layers.
        dropout: see `GlobalAlignmentLayer`.

    Raises:
        ArgumentError: if `dim` is not divisible.
    """

    def __init__(
        self, *, dim: int, num_layers: int, num_heads: int, ffn_dim: int, dropout: float
    ) -> None:
        super().__init__()
        if dim % 4:
            raise ArgumentError(f"dim is {dim}; it must be a multiple of 4")
        check_num_heads(num_heads, dim)
        self.layers = nn.ModuleList(
            GlobalAlignmentLayer(dim, num_heads, ffn_dim=ffn_dim, dropout=dropout)
            for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(dim)

    def forward(
        self,
        feature_map: Tensor,
        text_tokens: Tensor,
        key_padding_mask: Tensor | None = None,
        *,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Fuse map and text.

        Args:
            feature_map: (B, C, h, w).
            text_tokens: (B, L, C).
            key_padding_mask: bool (B, L), true for padding.
            intermediates: gets "layers.1" and so on, (B, C, h, w), and the weights of the
                cross-attentions "layers.1.attn" and so on, (B, heads, h w, L).

        Returns:
            Map (B, C, h, w).
        """
        _, dim, height, width = feature_map.shape
        image_tokens = rearrange(feature_map, "b c h w -> b (h w) c")
        pos_embed = sine_pos_embed_2d(height, width, dim, feature_map.device)
        text_pos_embed = sine_pos_embed_1d(text_tokens.shape[1], dim, text_tokens.device)
        layer_intermediates = intermediates.sub("layers")
        for number, layer in enumerate(self.layers, start=1):
            image_tokens = layer(
                image_tokens,
                text_tokens,
                pos_embed=pos_embed.to(feature_map.dtype),
                text_pos_embed=text_pos_embed.to(text_tokens.dtype),
                key_padding_mask=key_padding_mask,
                intermediates=layer_intermediates.sub(str(number)),
            )
            layer_intermediates[str(number)] = rearrange(
                image_tokens, "b (h w) c -> b c h w", h=height
            )
        normed: Tensor = self.norm(image_tokens)
        return rearrange(normed, "b (h w) c -> b c h w", h=height)
