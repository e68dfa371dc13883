"""Parallel adapters (He et al., 2022, "Towards a unified view of parameter-efficient transfer
learning").

Section 3.3 and table 1: x + layer(norm(x)) + s W_up sigma(W_down x). The adapter reads x before the
norm of the branch and does not wait for the branch.
"""

from collections.abc import Iterable

from risbook.adapters.bottleneck import add_bottlenecks
from risbook.adapters.placement import Parallel
from risbook.towers.sites import BRANCHES, Branch
from risbook.towers.transformer_tower import TransformerTower


def add_parallel(
    tower: TransformerTower,
    *,
    bottleneck_dim: int = 64,
    activation: str = "relu",
    scale: float = 1.0,
    branches: Iterable[Branch] = BRANCHES,
    blocks: Iterable[int] | None = None,
) -> None:
    """Add parallel bottlenecks: 2 (2 C r + r + C) parameters per block.

    Args:
        tower: a transformer tower with C channels.
        bottleneck_dim: r, channels between the two linear layers of a bottleneck.
        activation: sigma, between the two: "relu", "gelu", "silu" or "tanh".
        scale: s, by which the bottleneck's output is multiplied.
        branches: "attention", "mlp" or both.
        blocks: counted from 0; None for all.
    """
    add_bottlenecks(
        tower,
        Parallel,
        branches=tuple(branches),
        blocks=blocks,
        bottleneck_dim=bottleneck_dim,
        activation=activation,
        scale=scale,
    )
