"""The bottleneck adapter: down to few channels, a non-linearity, up again.

Adapter(x) = s W_up sigma(W_down x), from C channels to r and back: 2 C r + r + C parameters, where
a block of the tower has about 12 C^2. W_up starts at zero, so that the tower first computes what it
computed before (Houlsby et al., 2019, section 2.1, start near that point; the released code of
AdaptFormer starts at it). `risbook.adapters.bottleneck_methods` has three methods that use it.
"""

from collections.abc import Callable

from torch import Tensor, nn

from risbook.errors import ArgumentError

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


class Bottleneck(nn.Module):
    """s W_up sigma(W_down x), with biases.

    Args:
        embed_dim: C, channels of the tokens.
        bottleneck_dim: r, channels between the two linear layers.
        activation: sigma: "relu", "gelu", "silu" or "tanh".
        scale: s, by which the output is multiplied.
        dropout: probability that one of the r values is dropped in training.

    Raises:
        ArgumentError: if `bottleneck_dim` is below 1 or the activation is unknown.

    >>> import torch
    >>> bottleneck = Bottleneck(embed_dim=8, bottleneck_dim=2)
    >>> bottleneck(torch.ones(1, 3, 8)).abs().sum().item()
    0.0
    >>> sum(parameter.numel() for parameter in bottleneck.parameters())
    42
    """

    def __init__(
        self,
        *,
        embed_dim: int,
        bottleneck_dim: int = 64,
        activation: str = "relu",
        scale: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if bottleneck_dim < 1:
            raise ArgumentError(f"bottleneck_dim is {bottleneck_dim}; it must be at least 1")
        if activation not in ACTIVATIONS:
            raise ArgumentError(f'no activation "{activation}": choose {", ".join(ACTIVATIONS)}')
        self.down = nn.Linear(embed_dim, bottleneck_dim)  # torch's initial weights
        self.activation = ACTIVATIONS[activation]()
        self.dropout = nn.Dropout(dropout)
        self.up = nn.Linear(bottleneck_dim, embed_dim)
        self.scale = scale
        for parameter in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(parameter)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N, C) to what is added, (B, N, C)."""
        out: Tensor = self.up(self.dropout(self.activation(self.down(tokens))))
        return out * self.scale
