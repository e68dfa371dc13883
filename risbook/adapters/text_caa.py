"""The CAA of the text tower: beside the MLP as in the image tower, but without the other modality.

MiCA (Li et al., 2026); released code. The text tokens x are reduced to r channels; the words, which
are all tokens but the first, are convolved along the sentence; a light self-attention mixes all:

$$h = \\text{ReLU}(W_{down}\\, x) \\qquad l = \\text{LN}(h + \\text{conv}(h)) \\qquad
\\text{CAA}(x) = \\sigma(g)\\, W_{up}\\, (h + \\text{LN}(l + A(l)))$$

where the first token has l = h.

The name promises alignment across modalities, and the paper's overview draws a line from the image
features to this adapter. In the released code it reads no image, nor can it: the text tower is
finished before the image tower starts. It has the parts of GLiA; what differs is the place in the
block, the first token, and the sum with h.
"""

import torch
from einops import rearrange
from torch import Tensor, nn

from risbook.adapters.gate import Gate
from risbook.adapters.lite_attention import NORM_EPS, LiteAttention
from risbook.adapters.mica_weights import init_linears, zero_output
from risbook.adapters.multi_scale_conv import MultiScaleConv
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.keyword_aliases import keyword_aliases
from risbook.layers.numeric_guards import finite_or_zero, limit


class TextCAA(nn.Module):
    """Text tokens (B, L, T) to what is added to them, (B, L, T).

    It works in any text transformer.

    >>> TextCAA(dim=64, bottleneck_dim=16)(torch.randn(2, 17, 64)).shape
    torch.Size([2, 17, 64])

    Args:
        dim: T, channels of the text tokens.
        bottleneck_dim: r, channels between the two linear layers.
        num_heads: heads of the self-attention, which divide r.
        dropout: probability that an attention weight is dropped in training.
        zero_init: whether W_up starts at zero, so that the tower first computes what it computed
            without the adapter; not as released.
        scale: a constant in place of the learned gate, see `Gate`.

    Raises:
        ArgumentError: if the heads do not divide `bottleneck_dim`.
    """

    @keyword_aliases({"embed_dim": "dim"})
    def __init__(
        self,
        *,
        dim: int,
        bottleneck_dim: int = 64,
        num_heads: int = 4,
        dropout: float = 0.1,
        zero_init: bool = False,
        scale: float | None = None,
    ) -> None:
        super().__init__()
        self.down = nn.Linear(dim, bottleneck_dim)
        self.conv = MultiScaleConv(bottleneck_dim, spatial_dims=1)
        self.conv_norm = nn.LayerNorm(bottleneck_dim, eps=NORM_EPS)
        self.attention = LiteAttention(bottleneck_dim, num_heads=num_heads, dropout=dropout)
        self.up = nn.Linear(bottleneck_dim, dim)
        self.gate = Gate(dim, scale=scale)
        init_linears(self, "text")
        if zero_init:
            zero_output(self.up)

    def forward(
        self,
        tokens: Tensor,
        *,
        num_extra_tokens: int = 1,
        key_padding_mask: Tensor | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Mix the tokens of a sentence.

        Args:
            tokens: (B, L, T).
            num_extra_tokens: tokens at the beginning that skip the convolution: the start token
                and, after it, learned prompts.
            key_padding_mask: bool (B, L), true for padding, which is then no input of the
                convolution and the attention; None lets it take part, as released.
            intermediates: gets "local", l (B, L, r), and "attn", the attention weights (B, heads,
                L, L).

        Returns:
            (B, L, T).
        """
        hidden = limit(self.down(tokens).relu())  # (B, L, r)
        if key_padding_mask is not None:
            hidden = hidden.masked_fill(key_padding_mask[:, :, None], 0.0)
        extra, words = hidden[:, :num_extra_tokens], hidden[:, num_extra_tokens:]
        neighbours = rearrange(self.conv(rearrange(words, "b l r -> b r l")), "b r l -> b l r")
        words = finite_or_zero(self.conv_norm(words + neighbours))
        local = intermediates["local"] = torch.cat([extra, words], dim=1)
        mixed = self.attention(
            local, key_padding_mask=key_padding_mask, intermediates=intermediates
        )
        adapted: Tensor = finite_or_zero(self.gate(self.up(hidden + mixed)))
        return adapted
