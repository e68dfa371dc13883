"""The cross-attention of DETRIS' and MiCA's adapters: patches attend to a text, at few channels.

DETRIS (Huang et al., 2025) and MiCA (Li et al., 2026); released code. Patches and text tokens are
projected to the channels of the attention, and its output back to those of the adapter.
"""

from torch import Tensor, nn

from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.layers.attention import MultiHeadAttention


class CrossAttention(nn.Module):
    """Attention of patches (B, N, r) over text tokens (B, L, T), at its own number of channels.

    The text tokens are projected once, to what serves as keys and as values.

    Args:
        dim: r, channels of the patches.
        text_dim: T, channels of the text tokens.
        attn_dim: channels of the attention.
        num_heads: its heads.
        dropout: probability that an attention weight is dropped in training.
    """

    def __init__(
        self, dim: int, *, text_dim: int, attn_dim: int, num_heads: int, dropout: float
    ) -> None:
        super().__init__()
        # the released names
        self.image_proj = nn.Linear(dim, attn_dim)
        self.text_proj = nn.Linear(text_dim, attn_dim)
        self.multihead_attn = MultiHeadAttention(attn_dim, num_heads, dropout=dropout)
        self.back_proj = nn.Linear(attn_dim, dim)

    def forward(
        self,
        patches: Tensor,
        text_tokens: Tensor,
        *,
        key_padding_mask: Tensor | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """What each patch reads from the text, (B, N, r); see `DenseAligner.forward`."""
        memory = self.text_proj(text_tokens)  # (B, L, attn_dim)
        attn_out = self.multihead_attn(
            self.image_proj(patches),
            memory,
            memory,
            key_padding_mask=key_padding_mask,
            intermediates=intermediates,
        )
        projected: Tensor = self.back_proj(attn_out)
        return projected
