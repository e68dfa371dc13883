"""The bottleneck: two linear maps with a narrow place between them, the commonest adapter.

Adapter(x) = s W_up sigma(W_down x), from the width C down to h and up again: 2 C h + h + C
parameters, where a block of the tower has about 12 C^2. W_up starts at zero, so that at first the
frozen tower does what it always did (Houlsby et al., 2019, section 2.1, start near that point;
AdaptFormer's released code starts at it). Where to put it is the question in which the methods
`houlsby`, `parallel` and `adaptformer` differ.
"""

from collections.abc import Callable, Iterable

from torch import Tensor, nn

from risbook.errors import DataError
from risbook.towers.transformer_tower import Branch, TransformerTower

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


class Bottleneck(nn.Module):
    """W_up sigma(W_down x), with biases, times a scale.

    Args:
        width: width C of the tokens.
        hidden: width h of the narrow place.
        activation: sigma: "relu", "gelu", "silu" or "tanh".
        scale: s, a constant.
        dropout: share of the h values that is dropped while training.

    Raises:
        DataError: if `hidden` or the activation cannot be.

    >>> import torch
    >>> bottleneck = Bottleneck(width=8, hidden=2)
    >>> bottleneck(torch.ones(1, 3, 8)).abs().sum().item()
    0.0
    >>> sum(parameter.numel() for parameter in bottleneck.parameters())
    42
    """

    def __init__(
        self,
        *,
        width: int,
        hidden: int,
        activation: str = "relu",
        scale: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if hidden < 1:
            raise DataError(f"a bottleneck of width {hidden}: there has to be at least 1 value")
        if activation not in ACTIVATIONS:
            raise DataError(f'no activation "{activation}": choose {", ".join(ACTIVATIONS)}')
        self.down = nn.Linear(width, hidden)  # its weights start as torch draws them
        self.activation = ACTIVATIONS[activation]()
        self.dropout = nn.Dropout(dropout)
        self.up = nn.Linear(hidden, width)
        self.scale = scale
        for start_at_zero in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(start_at_zero)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N, C) to the change of them, (B, N, C)."""
        change: Tensor = self.up(self.dropout(self.activation(self.down(tokens))))
        return change * self.scale


def attach_bottlenecks(
    tower: TransformerTower,
    around: Callable[[Bottleneck], nn.Module],
    *,
    branches: Iterable[Branch],
    blocks: Iterable[int] | None,
    hidden: int,
    activation: str,
    scale: float = 1.0,
    dropout: float = 0.0,
) -> None:
    """Attach a new bottleneck at each of some branches of some blocks.

    Args:
        tower: a transformer tower.
        around: makes of a bottleneck what is attached; the class `Serial` or `Parallel`.
        branches: "attention", "mlp" or both.
        blocks: numbers of the blocks, from 0; None for all.
        hidden: see `Bottleneck`, as for the others.
        activation: sigma.
        scale: s.
        dropout: share dropped.

    Raises:
        DataError: if `hidden` or the activation cannot be, or the tower has no such block.
    """
    like = next(tower.parameters())
    for block in range(len(tower.blocks)) if blocks is None else blocks:
        for branch in branches:
            bottleneck = Bottleneck(
                width=tower.width,
                hidden=hidden,
                activation=activation,
                scale=scale,
                dropout=dropout,
            )
            adapter = around(bottleneck).to(device=like.device, dtype=like.dtype)
            tower.attach(block, branch, adapter)
