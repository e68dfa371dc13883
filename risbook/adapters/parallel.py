"""Parallel bottlenecks: beside a branch, from the same tokens, into the same sum.

x + MIXER(x) + Adapter(x) with Adapter(x) = s W_up sigma(W_down x): the form "parallel adapter" of
He et al., 2022, "Towards a unified view of parameter-efficient transfer learning", section 3.3
and table 1. The adapter reads x as it comes to the branch, before the norm, and need not wait for
the branch.
"""

from collections.abc import Iterable

from torch import Tensor, nn

from risbook.adapters.bottleneck import Bottleneck, attach_bottlenecks
from risbook.towers.transformer_tower import BRANCHES, Branch, TransformerTower


class Parallel(nn.Module):
    """A bottleneck beside a branch: out + Adapter(x).

    Args:
        bottleneck: Adapter.
    """

    def __init__(self, bottleneck: Bottleneck) -> None:
        super().__init__()
        self.bottleneck = bottleneck

    def forward(self, tokens: Tensor, out: Tensor) -> Tensor:
        """What is added to the tokens.

        Args:
            tokens: x, (B, N, C) before the branch and its norm.
            out: MIXER(x), what the frozen branch made of them, (B, N, C).
        """
        change: Tensor = self.bottleneck(tokens)
        return out + change


def add_parallel(
    tower: TransformerTower,
    *,
    hidden: int = 64,
    activation: str = "relu",
    scale: float = 1.0,
    branches: Iterable[Branch] = BRANCHES,
    blocks: Iterable[int] | None = None,
) -> None:
    """Attach parallel bottlenecks: 2 (2 C h + h + C) parameters a block.

    Args:
        tower: a transformer tower of width C.
        hidden: width h of the bottlenecks.
        activation: sigma.
        scale: s.
        branches: "attention", "mlp" or both.
        blocks: numbers of the blocks, from 0; None for all.
    """
    attach_bottlenecks(
        tower,
        Parallel,
        branches=tuple(branches),
        blocks=blocks,
        hidden=hidden,
        activation=activation,
        scale=scale,
    )
