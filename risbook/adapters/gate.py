"""The gate of MiCA's adapters: how much of each channel is added to the tower.

MiCA (Li et al., 2026); released code. With a learned number g per channel, which starts at 0:

$$\\text{gate}(x) = \\sigma(g)\\, x$$

So at the start every channel of an adapter's output is halved; the gate does not close it.
"""

import torch
from torch import Tensor, nn


class Gate(nn.Module):
    """Tokens (B, N, C) times one number per channel.

    >>> Gate(2)(torch.ones(1, 1, 2))
    tensor([[[0.5000, 0.5000]]], grad_fn=<MulBackward0>)
    >>> Gate(2, scale=0.2)(torch.ones(1, 1, 2))
    tensor([[[0.2000, 0.2000]]])

    Args:
        dim: C, channels.
        scale: a constant that takes the place of the learned gate, without a sigmoid; the released
            code can do this, and none of its configurations does.
    """

    weight: Tensor

    def __init__(self, dim: int, *, scale: float | None = None) -> None:
        super().__init__()
        self.is_learned = scale is None
        if scale is None:
            self.weight = nn.Parameter(torch.zeros(dim))
        else:
            self.register_buffer("weight", torch.full((dim,), scale))

    def forward(self, x: Tensor) -> Tensor:
        """The tokens, scaled."""
        return x * (self.weight.sigmoid() if self.is_learned else self.weight)
