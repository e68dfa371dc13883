"""Serial bottlenecks: what a branch gives goes through one before it is added.

Houlsby et al., 2019, "Parameter-efficient transfer learning for NLP", section 2.1 and figure 2:
two in every block, one behind the attention's output projection and one behind the MLP. Each has a
skip connection of its own: x + (out + Adapter(out)). The paper tunes the layer norms with them;
here they stay frozen, so that the method is the bottlenecks alone.
"""

from collections.abc import Iterable

from torch import Tensor, nn

from risbook.adapters.bottleneck import Bottleneck, attach_bottlenecks
from risbook.towers.transformer_tower import BRANCHES, Branch, TransformerTower


class Serial(nn.Module):
    """A bottleneck behind a branch: out + Adapter(out).

    Args:
        bottleneck: Adapter.
    """

    def __init__(self, bottleneck: Bottleneck) -> None:
        super().__init__()
        self.bottleneck = bottleneck

    def forward(self, tokens: Tensor, out: Tensor) -> Tensor:
        """What is added to the tokens.

        Args:
            tokens: (B, N, C) before the branch; not used here.
            out: what the frozen branch made of them, (B, N, C).
        """
        change: Tensor = self.bottleneck(out)
        return out + change


def add_houlsby(
    tower: TransformerTower,
    *,
    hidden: int = 64,
    activation: str = "gelu",
    branches: Iterable[Branch] = BRANCHES,
    blocks: Iterable[int] | None = None,
) -> None:
    """Attach serial bottlenecks: 2 (2 C h + h + C) parameters a block.

    Args:
        tower: a transformer tower of width C.
        hidden: width h of the bottlenecks. The paper finds about the same quality with 8, 64 and
            256 (section 3.6).
        activation: sigma.
        branches: "attention", "mlp" or, as in the paper, both.
        blocks: numbers of the blocks, from 0; None for all.
    """
    attach_bottlenecks(
        tower, Serial, branches=tuple(branches), blocks=blocks, hidden=hidden, activation=activation
    )
