"""The two openings by which a transformer tower can be tuned without rewriting it.

A block adds twice to what runs through it: what its attention gives, and what its MLP gives. Most
adapters are a small change of one of these two sums (He et al., 2022, "Towards a unified view of
parameter-efficient transfer learning", section 3), so there is one place for an adapter at each.
The other opening is at the tokens: learned ones, called prompts, can stand among them.

Both openings are closed at first. Then a tower has the parameters, the names and the numbers that
it always had.
"""

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from risbook.errors import DataError

Branch = Literal["attention", "mlp"]
#: the branches of a block, in the order in which they are added
BRANCHES: tuple[Branch, ...] = get_args(Branch)


class TransformerTower(nn.Module):
    """What `ImageTransformer` and `TextTransformer` have in common.

    Attributes:
        width: width C of the tokens.
        attached: the adapters by their place, "3_attention" for the attention of block 3; empty
            at first.
        prompts: (1, K, C), or one row for each block where they are deep; None at first.
    """

    width: int
    prompts: nn.Parameter | None

    def __init__(self) -> None:
        super().__init__()
        self.attached = nn.ModuleDict()
        self.register_parameter("prompts", None)

    @property
    def blocks(self) -> Any:
        """The blocks, counted from 0."""
        raise NotImplementedError

    @property
    def before_prompts(self) -> int:
        """How many tokens stand before the prompts."""
        raise NotImplementedError

    def draw_prompts(self, prompts: Tensor) -> None:
        """Fill new prompts (rows, K, C) with their first values, in place."""
        raise NotImplementedError

    def attach(self, block: int, branch: Branch, adapter: nn.Module) -> None:
        """Put an adapter at a branch of a block.

        Args:
            block: number of the block, from 0.
            branch: "attention" or "mlp".
            adapter: called as ``adapter(x, out)`` with the tokens x (B, N, C) as they come to the
                branch, before its norm, and `out`, what the frozen branch would add to them. It
                returns what is added instead.

        Raises:
            DataError: if there is no such block or branch, or the place is taken.
        """
        if not 0 <= block < len(self.blocks):
            raise DataError(
                f"no block {block} to attach an adapter to: "
                f"this tower has the blocks 0 to {len(self.blocks) - 1}"
            )
        if branch not in BRANCHES:
            raise DataError(f'no branch "{branch}" in a block: choose {" or ".join(BRANCHES)}')
        place = f"{block}_{branch}"
        if place in self.attached:
            raise DataError(
                f"block {block} already has an adapter at its {branch} branch "
                f"({type(self.attached[place]).__name__}): there is one place at each"
            )
        self.attached[place] = adapter

    def adapted(self, block: int, branch: Branch, tokens: Tensor, out: Tensor) -> Tensor:
        """What a branch adds: `out`, or what the adapter attached there makes of it."""
        place = f"{block}_{branch}"
        if place not in self.attached:
            return out
        changed: Tensor = self.attached[place](tokens, out)
        return changed

    def add_prompts(self, count: int, *, deep: bool = False) -> None:
        """Let learned tokens stand among the others.

        Args:
            count: how many, K.
            deep: give every block prompts of its own: before it, those that come out of the block
                below are replaced.

        Raises:
            DataError: if the count is none, or there are prompts already.
        """
        if count < 1:
            raise DataError(f"{count} prompts: there has to be at least one")
        if self.prompts is not None:
            raise DataError(
                f"this tower already has prompts, {self.prompts.shape[1]} in number: "
                "make a new tower for others"
            )
        like = next(self.parameters())
        rows = len(self.blocks) if deep else 1
        prompts = torch.empty(rows, count, self.width, device=like.device, dtype=like.dtype)
        self.draw_prompts(prompts)
        self.prompts = nn.Parameter(prompts)

    @property
    def prompt_count(self) -> int:
        """How many prompts stand among the tokens, K."""
        return 0 if self.prompts is None else self.prompts.shape[1]

    def insert_prompts(self, tokens: Tensor) -> Tensor:
        """Put in the prompts of the first block: (B, N, C) to (B, N + K, C)."""
        return self._with_prompts(tokens, row=0, behind=self.before_prompts)

    def renew_prompts(self, block: int, tokens: Tensor) -> Tensor:
        """Replace the prompts by those of a block, where prompts are deep: (B, N + K, C)."""
        if self.prompts is None or block == 0 or len(self.prompts) == 1:
            return tokens
        behind = self.before_prompts + self.prompt_count
        return self._with_prompts(tokens, row=block, behind=behind)

    def drop_prompts(self, tokens: Tensor) -> Tensor:
        """Take the prompts out again: (B, N + K, C) to (B, N, C)."""
        if self.prompts is None:
            return tokens
        first = self.before_prompts
        return torch.cat([tokens[:, :first], tokens[:, first + self.prompt_count :]], dim=1)

    def _with_prompts(self, tokens: Tensor, *, row: int, behind: int) -> Tensor:
        if self.prompts is None:
            return tokens
        prompts = self.prompts[row].to(tokens.dtype).expand(len(tokens), -1, -1)
        first = self.before_prompts
        return torch.cat([tokens[:, :first], prompts, tokens[:, behind:]], dim=1)
