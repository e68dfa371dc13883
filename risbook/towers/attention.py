"""Attention, in the form that is the quicker one here.

Both forms compute softmax(q k^T / sqrt(d)) v. The fused one never writes the weights to memory and
wins nearly everywhere; its backward pass in bf16 on processors is the exception (measured: a
twelve-block tower of width 128 trains 1.6 times as fast with a plain product and softmax).
"""

import torch
from torch import Tensor, nn


def fused_is_quicker(like: Tensor) -> bool:
    """Whether to use fused attention for a computation on the device of `like`, as it stands.

    Args:
        like: a tensor on the device in question; autocast is looked at as well.

    >>> fused_is_quicker(torch.zeros(1))
    True
    >>> with torch.autocast("cpu", torch.bfloat16):
    ...     fused_is_quicker(torch.zeros(1))
    False
    """
    if like.device.type != "cpu" or not torch.is_grad_enabled():
        return True
    return like.dtype != torch.bfloat16 and not torch.is_autocast_enabled("cpu")


class MultiHeadAttention(nn.MultiheadAttention):
    """torch's multi-head attention, batch first, that computes weights only where that is quicker.

    The released systems ask for the averaged attention weights at every call and throw them away,
    which forbids the fused form. Parameters have torch's names, so their checkpoints fit.

    Args:
        width: width C of queries and answers.
        heads: attention heads; they divide the width.
        dropout: probability that a weight is dropped in training.
    """

    def __init__(self, width: int, heads: int, *, dropout: float = 0.0) -> None:
        super().__init__(width, heads, dropout=dropout, batch_first=True)

    def forward(  # type: ignore[override]
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        *,
        padding: Tensor | None = None,
        record: dict[str, Tensor] | None = None,
    ) -> Tensor:
        """Answer each query.

        Args:
            query: (B, N, C).
            key: (B, M, C).
            value: (B, M, C).
            padding: bool (B, M), true where nobody looks.
            record: gets the weights of all heads as "attention", (B, heads, N, M).

        Returns:
            (B, N, C).
        """
        seen = record is not None
        answer: Tensor
        answer, weights = super().forward(
            query,
            key,
            value,
            key_padding_mask=padding,
            need_weights=seen or not fused_is_quicker(query),
            average_attn_weights=False,
        )
        if record is not None and weights is not None:
            record["attention"] = weights
        return answer
