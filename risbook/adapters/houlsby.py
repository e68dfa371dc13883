"""Serial adapters (Houlsby et al., 2019, "Parameter-efficient transfer learning for NLP").

Section 2.1 and figure 2: two in every block, one after the attention's output projection and one
after the MLP, each with a skip connection: x + (out + Adapter(out)). The paper tunes the layer
norms as well; here they stay frozen, so that the method is the adapters alone.
"""

from collections.abc import Iterable

from risbook.adapters.bottleneck import add_bottlenecks
from risbook.adapters.placement import Serial
from risbook.towers.sites import BRANCHES, Branch
from risbook.towers.transformer_tower import TransformerTower


def add_houlsby(
    tower: TransformerTower,
    *,
    bottleneck_dim: int = 64,
    activation: str = "gelu",
    branches: Iterable[Branch] = BRANCHES,
    blocks: Iterable[int] | None = None,
) -> None:
    """Add serial bottlenecks: 2 (2 C r + r + C) parameters per block.

    Args:
        tower: a transformer tower with C channels.
        bottleneck_dim: r, channels between the two linear layers of a bottleneck. The paper finds
            about the same quality with 8, 64 and 256 (section 3.6).
        activation: sigma, between the two: "relu", "gelu", "silu" or "tanh".
        branches: "attention", "mlp" or, as in the paper, both.
        blocks: counted from 0; None for all.
    """
    add_bottlenecks(
        tower,
        Serial,
        branches=tuple(branches),
        blocks=blocks,
        bottleneck_dim=bottleneck_dim,
        activation=activation,
    )
