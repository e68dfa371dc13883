"""AdaptFormer: a parallel bottleneck beside the MLP alone, at a tenth of its strength.

Chen et al., 2022, "AdaptFormer: adapting vision transformers for scalable visual recognition",
section 3.2: x + MLP(LN(x)) + s ReLU(x W_down) W_up. Width 64, scale 0.1 and the tenth of the
hidden values that is dropped while training are those of the released code, in which the adapter
reads the tokens as they are, without a norm.
"""

from collections.abc import Iterable

from risbook.adapters.bottleneck import attach_bottlenecks
from risbook.adapters.parallel import Parallel
from risbook.towers.transformer_tower import TransformerTower


def add_adaptformer(
    tower: TransformerTower,
    *,
    hidden: int = 64,
    scale: float = 0.1,
    dropout: float = 0.1,
    blocks: Iterable[int] | None = None,
) -> None:
    """Attach AdaptFormer's bottlenecks: 2 C h + h + C parameters a block.

    Args:
        tower: a transformer tower of width C.
        hidden: width h of the bottlenecks.
        scale: s.
        dropout: share of the hidden values that is dropped while training.
        blocks: numbers of the blocks, from 0; None for all.
    """
    attach_bottlenecks(
        tower,
        Parallel,
        branches=("mlp",),
        blocks=blocks,
        hidden=hidden,
        activation="relu",
        scale=scale,
        dropout=dropout,
    )
