"""FiLM, feature-wise linear modulation: a sentence scales and shifts the channels of a map.

FiLM (Perez et al., 2018), in the form of MiCA's released code (Li et al., 2026). One linear layer
maps a condition c, for instance the vector of a sentence, to two numbers per channel:

$$[\\gamma; \\beta] = W c + b \\qquad \\text{FiLM}(x, c) = \\gamma \\odot x + \\beta$$

All positions of the map get the same two numbers.
"""

from torch import Tensor, nn


class FiLM(nn.Module):
    """A map (B, r, h, w) and a condition (B, T) to a map (B, r, h, w).

    >>> import torch
    >>> FiLM(48, 16)(torch.zeros(2, 16, 5, 7), torch.zeros(2, 48)).shape
    torch.Size([2, 16, 5, 7])

    Args:
        condition_dim: T, channels of the condition.
        dim: r, channels of the map.
    """

    def __init__(self, condition_dim: int, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(condition_dim, 2 * dim)

    def forward(self, feature_map: Tensor, condition: Tensor) -> Tensor:
        """The map, scaled and shifted."""
        gamma, beta = self.linear(condition)[:, :, None, None].chunk(2, dim=1)  # (B, r, 1, 1)
        modulated: Tensor = gamma * feature_map + beta
        return modulated
