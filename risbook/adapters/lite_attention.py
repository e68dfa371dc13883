"""The light self-attention of MiCA: all tokens attend to all, at the few channels of a bottleneck.

MiCA (Li et al., 2026); released code. With attention A of h heads at r channels:

$$\\text{lite}(x) = \\text{LN}(x + W_o\\, A(x))$$

"Light" is the width, not the number of pairs: r = 128 channels in place of DINOv2's 768 make the
four projections 36 times as small, while there are as many attention weights as in the tower.

The attention has no causal mask, also not in CLIP's text tower, whose own attention has one. So
there every token, the start token included, can read the words after it. Padding is read, too.

The released code limits the scores to 50,000 and replaces NaN after the softmax. Both are left out
here, so that the fused attention can be used: the tokens have passed a layer norm, so that their
scores are small and finite.
"""

from einops import rearrange
from torch import Tensor, nn

from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.layers.attention import attend, check_num_heads

#: of the layer norms inside MiCA's adapters
NORM_EPS = 1e-6


class LiteAttention(nn.Module):
    """Tokens (B, N, r) to tokens of the same shape.

    Args:
        dim: r, channels.
        num_heads: h, which divides r.
        dropout: probability that an attention weight is dropped in training.

    Raises:
        ArgumentError: if the heads do not divide the channels.
    """

    def __init__(self, dim: int, *, num_heads: int, dropout: float) -> None:
        super().__init__()
        check_num_heads(num_heads, dim)
        self.num_heads = num_heads
        self.dropout = dropout
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.proj = nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim, eps=NORM_EPS)

    def forward(
        self,
        tokens: Tensor,
        *,
        key_padding_mask: Tensor | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Attend.

        Args:
            tokens: (B, N, r).
            key_padding_mask: bool (B, N), true for tokens that no token reads.
            intermediates: gets "attn", the attention weights (B, h, N, N).

        Returns:
            (B, N, r).
        """
        query, key, value = rearrange(
            self.qkv(tokens), "b n (three heads d) -> three b heads n d", three=3, d=self.head_dim
        )
        attn_out = attend(
            query,
            key,
            value,
            key_padding_mask=key_padding_mask,
            dropout=self.dropout if self.training else 0.0,
            intermediates=intermediates,
        )
        attn_out = self.proj(rearrange(attn_out, "b heads n d -> b n (heads d)"))
        attended: Tensor = self.norm(tokens + attn_out)
        return attended

    @property
    def head_dim(self) -> int:
        """Channels per head."""
        return self.proj.in_features // self.num_heads
