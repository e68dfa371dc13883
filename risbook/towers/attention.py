"""Which form of attention is the quicker one here.

Both forms compute softmax(q k^T / sqrt(d)) v. The fused one never writes the weights to memory and
wins nearly everywhere; its backward pass in bf16 on processors is the exception (measured: a
twelve-block tower of width 128 trains 1.6 times as fast with a plain product and softmax).
"""

import torch
from torch import Tensor


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
