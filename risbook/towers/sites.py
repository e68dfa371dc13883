"""The places of a transformer block at which adapters work.

A block adds twice to the tokens x: x + scale(layer(norm(x))), with attention as the layer and then
with the MLP. Adapters change one of these two sums (He et al., 2022, "Towards a unified view of
parameter-efficient transfer learning", section 3), so a tower has one `Site` at each. A `Placement`
says what an adapter reads there and what becomes of its output.

A site knows nothing of other blocks. DETRIS (Huang et al., 2025) needs no more, because its dense
connections lie between the convolutions inside one adapter; nor does MiCA (Li et al., 2026), whose
adapters read the tokens of their own block and the text.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

from torch import Tensor, nn

from risbook.errors import ArgumentError
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.layers.pos_embed import Grid
from risbook.towers.stages import StageContext

Branch = Literal["attention", "mlp"]
#: the branches of a block, in the order in which they are added
BRANCHES: tuple[Branch, ...] = get_args(Branch)


def site_key(block: int, branch: Branch) -> str:
    """The name of a site in a tower's `adapters`: "3_attention" for the attention of block 3."""
    return f"{block}_{branch}"


class Site(NamedTuple):
    """One branch of one block, as a placement reads it: the block adds scale(out) to x.

    In place of scale(out), a block with an adapter adds:

    - `Serial`: scale(out) + adapter(scale(out));
    - `Parallel`: scale(out) + adapter(x);
    - the placement of DETRIS and MiCA at the MLP: scale(out + adapter(normed, context)).

    Args:
        x: (B, N, C) tokens that come to the branch, before its norm.
        normed: (B, N, C) norm(x), the input of the frozen layer.
        out: (B, N, C) layer(normed), before LayerScale.
        scale: LayerScale, or the identity.
        context: the other modality; None if the tower runs without one.
        grid: h and w, the rows and columns of patches, for adapters that convolve; None in a text
            tower.
        num_extra_tokens: tokens before the patches or words: class or start token, registers,
            prompts.
        intermediates: gets what the adapter records. In a system its names begin with the tower
            and the site: "image_tower.adapters.3_mlp.attn".
    """

    x: Tensor
    normed: Tensor
    out: Tensor
    scale: Callable[[Tensor], Tensor]
    context: StageContext | None = None
    grid: Grid | None = None
    num_extra_tokens: int = 0
    intermediates: Intermediates = NO_INTERMEDIATES

    def require_context(self, need: str, *, tower: str = "tower") -> StageContext:
        """The context, for a placement that cannot do without.

        Args:
            need: what it is for, the beginning of the message.
            tower: the name of the tower in the message.

        Raises:
            ArgumentError: if the tower runs without one.
        """
        if self.context is None:
            raise ArgumentError(f"{need}: call the {tower} with context=StageContext(...)")
        return self.context


class Placement(nn.Module, ABC):
    """An adapter at a site. The adapter maps tensors; its placement takes them from the site.

    Args:
        adapter: a module of tensors, for instance of tokens (B, N, C) to tokens (B, N, C).
    """

    def __init__(self, adapter: nn.Module) -> None:
        super().__init__()
        self.adapter = adapter

    @abstractmethod
    def forward(self, site: Site) -> Tensor:
        """The tensor (B, N, C) that the block adds to its tokens in place of scale(out)."""
