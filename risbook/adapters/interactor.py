"""Interactors: cross-attention between the two modalities at the Bridger's common dimension.

ETRIS (Xu et al., 2023), section 3.2 and released code. Image and text have an interactor each, with
queries from the own modality and keys from the other one; both read what went in, so their order
does not matter. `BridgerConfig.interactor` calls `Interactor` "full" and `InteractorT` "product".
The classes have their released names, so that both codes can be read side by side; the T stands for
transformer. There are no position embeddings, and padding takes part unless a mask excludes it
(the released code has none).
"""

from torch import Tensor, nn

from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.layers.attention import MultiHeadAttention


class Interactor(nn.Module):
    """The "full" form, for ResNets: self-attention, cross-attention, feed-forward, and norms.

    Args:
        dim: D, channels of both modalities' tokens.
        num_heads: attention heads.
        ffn_dim: channels inside the feed-forward layer.
        dropout: probability of dropping an attention weight, a value inside the feed-forward
            layer, or a value of a branch before it is added.
    """

    def __init__(self, dim: int, num_heads: int, *, ffn_dim: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = MultiHeadAttention(dim, num_heads, dropout=dropout)
        self.multihead_attn = MultiHeadAttention(dim, num_heads, dropout=dropout)
        self.linear1 = nn.Linear(dim, ffn_dim)
        self.linear2 = nn.Linear(ffn_dim, dim)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(dim) for _ in range(3))
        self.dropout = nn.Dropout(dropout)
        init_linear(self)

    def forward(
        self,
        query: Tensor,
        memory: Tensor,
        *,
        query_padding_mask: Tensor | None = None,
        memory_padding_mask: Tensor | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Update the tokens of one modality by those of the other.

        Args:
            query: (B, N, D), the tokens that are updated.
            memory: (B, M, D), the tokens of the other modality.
            query_padding_mask: bool (B, N), true for padding.
            memory_padding_mask: bool (B, M), the same.
            intermediates: gets the weights of the cross-attention as "attn", (B, heads, N, M).

        Returns:
            (B, N, D).
        """
        attn_out = self.self_attn(query, query, query, key_padding_mask=query_padding_mask)
        query = self.norm1(query + self.dropout(attn_out))
        attn_out = self.multihead_attn(
            query,
            memory,
            memory,
            key_padding_mask=memory_padding_mask,
            intermediates=intermediates,
        )
        query = self.norm2(query + self.dropout(attn_out))
        ffn_out = self.linear2(self.dropout(self.linear1(query).relu()))
        fused: Tensor = self.norm3(query + self.dropout(ffn_out))
        return fused


class InteractorT(nn.Module):
    """The "product" form, for transformers: the query times the output of the cross-attention.

    The paper describes only `Interactor`; the authors left the rest out for transformers because
    it worked without (their answer in issue 14 of the released code's repository).

    Args:
        dim: D, channels of both modalities' tokens.
        num_heads: attention heads.
    """

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.multihead_attn = MultiHeadAttention(dim, num_heads)
        init_linear(self)

    def forward(
        self,
        query: Tensor,
        memory: Tensor,
        *,
        query_padding_mask: Tensor | None = None,
        memory_padding_mask: Tensor | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """As in `Interactor`; without self-attention, `query_padding_mask` has no effect."""
        attn_out: Tensor = self.multihead_attn(
            query,
            memory,
            memory,
            key_padding_mask=memory_padding_mask,
            intermediates=intermediates,
        )
        return query * attn_out


def init_linear(module: nn.Module) -> None:
    """Linear weights as in the released code: normal, deviation 0.02, biases 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):  # the attention's output projections included
            nn.init.normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)
