"""Where an adapter stands at a branch of a block: after its output, or beside it.

Adapters are pure modules, tokens to tokens. A placement is the thin layer that knows a tower's
`Site`; a system with another wiring brings a placement of its own.
"""

from torch import Tensor, nn

from risbook.towers.transformer_tower import Site


class Serial(nn.Module):
    """After the branch: out + adapter(out), with out after LayerScale.

    Args:
        adapter: (B, N, C) to (B, N, C).
    """

    def __init__(self, adapter: nn.Module) -> None:
        super().__init__()
        self.adapter = adapter

    def forward(self, site: Site) -> Tensor:
        """What the block adds to its tokens, (B, N, C)."""
        out = site.scale(site.out)
        adapted: Tensor = self.adapter(out)
        return out + adapted


class Parallel(nn.Module):
    """Beside the branch: out + adapter(x), x before the norm of the branch.

    Args:
        adapter: (B, N, C) to (B, N, C).
    """

    def __init__(self, adapter: nn.Module) -> None:
        super().__init__()
        self.adapter = adapter

    def forward(self, site: Site) -> Tensor:
        """What the block adds to its tokens, (B, N, C)."""
        adapted: Tensor = self.adapter(site.x)
        return site.scale(site.out) + adapted
