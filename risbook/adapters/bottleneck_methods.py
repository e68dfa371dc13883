"""Three methods that put bottlenecks at the branches of a tower's blocks.

They have the same options and differ in where a bottleneck stands and in their defaults:

| method | bottleneck | branches | sigma | s | dropout |
|---|---|---|---|---|---|
| houlsby | after the branch | attention, MLP | GELU | 1 | 0 |
| parallel | beside the branch | attention, MLP | ReLU | 1 | 0 |
| adaptformer | beside the branch | MLP | ReLU | 0.1 | 0.1 |

- Houlsby et al., 2019, "Parameter-efficient transfer learning for NLP", section 2.1 and figure 2:
  one bottleneck after the attention's output projection and one after the MLP, each with a skip
  connection, x + (out + Adapter(out)). The paper tunes the layer norms as well, which is
  ``layer_norms=True`` here; by default they stay frozen, so that the method is the adapters alone.
  About the same quality is reported with 8, 64 and 256 channels (section 3.6).
- He et al., 2022, "Towards a unified view of parameter-efficient transfer learning", section 3.3
  and table 1: x + layer(norm(x)) + s W_up sigma(W_down x). The adapter reads x before the norm of
  the branch and does not wait for the branch. The paper prefers it at the MLP alone, scaled by
  s = 4: ``branches=("mlp",), scale=4``.
- Chen et al., 2022, "AdaptFormer: adapting vision transformers for scalable visual recognition",
  section 3.2: x + MLP(LN(x)) + s ReLU(x W_down) W_up. The defaults are those of the released code,
  in which the adapter reads the tokens without a norm.
"""

from collections.abc import Callable, Sequence

from risbook.adapters.bottleneck import Bottleneck
from risbook.adapters.layer_norms import tune_layer_norms
from risbook.adapters.placement import Parallel, Serial
from risbook.config import Probability
from risbook.towers.sites import BRANCHES, Branch, Placement
from risbook.towers.transformer_tower import TransformerTower


def bottleneck_method(
    placement: type[Placement],
    *,
    default_activation: str,
    default_scale: float = 1.0,
    default_dropout: float = 0.0,
    default_branches: Sequence[Branch] = BRANCHES,
) -> Callable[..., None]:
    """Make the function of a method, whose options have the defaults of its paper.

    Args:
        placement: `Serial` or `Parallel`.
        default_activation: sigma, see `Bottleneck`.
        default_scale: s, by which a bottleneck's output is multiplied.
        default_dropout: probability that one of the r values is dropped in training.
        default_branches: "attention", "mlp" or both.
    """

    def add_bottlenecks(
        tower: TransformerTower,
        *,
        bottleneck_dim: int = 64,
        activation: str = default_activation,
        scale: float = default_scale,
        dropout: Probability = default_dropout,
        branches: Sequence[Branch] = default_branches,
        blocks: Sequence[int] | None = None,
        layer_norms: bool = False,
    ) -> None:
        """Add a new bottleneck at each branch: 2 C r + r + C parameters for a tower of C channels.

        Args:
            tower: a transformer tower.
            bottleneck_dim: r, channels between the two linear layers of a bottleneck.
            activation: "relu", "gelu", "silu" or "tanh".
            scale: s, by which a bottleneck's output is multiplied.
            dropout: probability that one of the r values is dropped in training.
            branches: "attention", "mlp" or both.
            blocks: counted from 0; None for all.
            layer_norms: tune the layer norms of the tower, too.

        Raises:
            ArgumentError: if a value is impossible, or the tower has no such block or branch.
        """
        for block in range(len(tower.blocks)) if blocks is None else blocks:
            for branch in branches:
                bottleneck = Bottleneck(
                    embed_dim=tower.embed_dim,
                    bottleneck_dim=bottleneck_dim,
                    activation=activation,
                    scale=scale,
                    dropout=dropout,
                )
                tower.add_adapter(block, branch, placement(bottleneck))
        if layer_norms:
            tune_layer_norms(tower)

    return add_bottlenecks


add_houlsby = bottleneck_method(Serial, default_activation="gelu")
add_parallel = bottleneck_method(Parallel, default_activation="relu")
add_adaptformer = bottleneck_method(
    Parallel,
    default_activation="relu",
    default_scale=0.1,
    default_dropout=0.1,
    default_branches=("mlp",),
)
