"""AdaptFormer: a parallel bottleneck at the MLP, with scale 0.1.

Chen et al., 2022, "AdaptFormer: adapting vision transformers for scalable visual recognition",
section 3.2: x + MLP(LN(x)) + s ReLU(x W_down) W_up. The defaults (64 channels, scale 0.1, dropout
0.1) are those of the released code, in which the adapter reads the tokens without a norm.
"""

from collections.abc import Iterable

from risbook.adapters.bottleneck import add_bottlenecks
from risbook.adapters.placement import Parallel
from risbook.config import Probability
from risbook.towers.transformer_tower import TransformerTower


def add_adaptformer(
    tower: TransformerTower,
    *,
    bottleneck_dim: int = 64,
    scale: float = 0.1,
    dropout: Probability = 0.1,
    blocks: Iterable[int] | None = None,
) -> None:
    """Add AdaptFormer's bottlenecks: 2 C r + r + C parameters per block.

    Args:
        tower: a transformer tower with C channels.
        bottleneck_dim: r, channels between the two linear layers of a bottleneck.
        scale: s, by which the bottleneck's output is multiplied.
        dropout: probability that one of the r values is dropped in training.
        blocks: counted from 0; None for all.
    """
    add_bottlenecks(
        tower,
        Parallel,
        branches=("mlp",),
        blocks=blocks,
        bottleneck_dim=bottleneck_dim,
        activation="relu",
        scale=scale,
        dropout=dropout,
    )
