"""Multi-head attention, in the implementation that is faster for the device at hand.

Both implementations compute softmax(q k^T / sqrt(d)) v. The fused one never writes the weights to
memory and is faster nearly everywhere. Its backward pass in bf16 on processors is the exception: a
tower of twelve blocks of 128 channels trains 1.6 times as fast with a plain product and softmax.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from risbook.errors import ArgumentError
from risbook.intermediates import NO_INTERMEDIATES, Intermediates


def check_num_heads(num_heads: int, dim: int, *, name: str = "dim") -> None:
    """Check that every head gets the same number of channels.

    Args:
        num_heads: attention heads.
        dim: channels that they share.
        name: of the argument with the channels, for the message.

    Raises:
        ArgumentError: if the heads do not divide the channels.

    >>> check_num_heads(3, 128, name="attn_dim")
    Traceback (most recent call last):
    risbook.errors.ArgumentError: num_heads is 3; it must divide attn_dim, 128
    """
    if dim % num_heads:
        raise ArgumentError(f"num_heads is {num_heads}; it must divide {name}, {dim}")


def fused_is_faster(like: Tensor) -> bool:
    """Whether fused attention is the faster one for a computation with `like`.

    Args:
        like: a tensor of the computation: its device and type count, and autocast.

    >>> fused_is_faster(torch.zeros(1))
    True
    >>> with torch.autocast("cpu", torch.bfloat16):
    ...     fused_is_faster(torch.zeros(1))
    False
    """
    if like.device.type != "cpu" or not torch.is_grad_enabled():
        return True
    return like.dtype != torch.bfloat16 and not torch.is_autocast_enabled("cpu")


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    key_padding_mask: Tensor | None = None,
    dropout: float = 0.0,
    intermediates: Intermediates = NO_INTERMEDIATES,
) -> Tensor:
    """Attention of (B, heads, N, d) to (B, heads, M, d) of keys and values: (B, heads, N, d).

    Args:
        query: (B, heads, N, d).
        key: (B, heads, M, d).
        value: (B, heads, M, d).
        key_padding_mask: bool (B, M), true for keys that are left out.
        dropout: probability that an attention weight is dropped.
        intermediates: gets the weights as "attn", (B, heads, N, M).
    """
    left_out = None if key_padding_mask is None else key_padding_mask[:, None, None]
    if fused_is_faster(query) and not intermediates.collecting:
        kept = None if left_out is None else ~left_out
        return F.scaled_dot_product_attention(query, key, value, kept, dropout_p=dropout)
    scores = query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5
    if left_out is not None:
        scores = scores.masked_fill(left_out, float("-inf"))
    weights = intermediates["attn"] = scores.softmax(dim=-1)
    attended: Tensor = F.dropout(weights, dropout) @ value
    return attended


class MultiHeadAttention(nn.MultiheadAttention):
    """torch's multi-head attention, batch first, with weights computed only where they are wanted.

    The released systems compute the averaged attention weights at every call and drop them, which
    forbids the fused implementation. Parameters have torch's names, so their checkpoints fit.

    Args:
        embed_dim: C, channels of queries and output.
        num_heads: attention heads; they divide C.
        dropout: probability that an attention weight is dropped in training.
    """

    def __init__(self, embed_dim: int, num_heads: int, *, dropout: float = 0.0) -> None:
        super().__init__(embed_dim, num_heads, dropout=dropout, batch_first=True)

    def forward(  # type: ignore[override]
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        *,
        key_padding_mask: Tensor | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Attend.

        Args:
            query: (B, N, C).
            key: (B, M, C).
            value: (B, M, C).
            key_padding_mask: bool (B, M), true for keys that are left out.
            intermediates: gets the weights of all heads as "attn", (B, heads, N, M).

        Returns:
            (B, N, C).
        """
        # torch has no argument for the implementation: it takes the fused one unless the weights
        # are wanted. So they are also asked for where the plain implementation is faster.
        attn_out: Tensor
        attn_out, weights = super().forward(
            query,
            key,
            value,
            key_padding_mask=key_padding_mask,
            need_weights=intermediates.collecting or not fused_is_faster(query),
            average_attn_weights=False,
        )
        if weights is not None:
            intermediates["attn"] = weights
        return attn_out


def tuned_query_key_parameters(attention: nn.MultiheadAttention) -> int:
    """How many numbers of the projections of query and key are tuned, biases included."""
    dim = int(attention.embed_dim)
    weight, bias = attention.in_proj_weight, attention.in_proj_bias
    return 2 * dim * (dim * int(weight.requires_grad) + int(bias.requires_grad))
