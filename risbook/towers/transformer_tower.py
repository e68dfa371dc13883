"""The base class of both transformer towers: blocks, stages, adapters and prompts.

Adapters change what a branch of a block adds to the tokens, see `risbook.towers.sites`. Prompts are
learned tokens among the tokens of the tower.

A tower without adapters and prompts has the parameters, names and outputs of the frozen network.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from risbook.errors import ArgumentError
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.layers.attention import fused_is_faster
from risbook.layers.pos_embed import Grid
from risbook.towers.sites import BRANCHES, Branch, Placement, Site, site_key
from risbook.towers.stages import DEFAULT_NUM_STAGES, StageContext, StagedTower

BranchLayers = tuple[nn.Module, Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]


class TransformerTower(StagedTower):
    """Base class of `ImageTransformer` and `TextTransformer`.

    Args:
        embed_dim: C, channels of the tokens.
        depth: number of blocks.
        out_indices: the last block of each stage, counted from 0 as timm counts; None for three
            stages of equal depth, as in ETRIS.

    Attributes:
        adapters: placements by `site_key`.
        grad_checkpointing: whether attention and MLP are computed again in the backward pass, see
            `set_grad_checkpointing`.
        prompts: (1, K, C), or one row per block where prompts are deep; None at first.
    """

    prompts: nn.Parameter | None

    def __init__(self, *, embed_dim: int, depth: int, out_indices: Sequence[int] | None) -> None:
        super().__init__()
        self.embed_dim = embed_dim
        self.out_indices = check_out_indices(out_indices, depth=depth)
        self.adapters = nn.ModuleDict()
        self.register_parameter("prompts", None)
        self._fused_attention: bool | None = None
        self.grad_checkpointing = False

    # What a subclass says about its network.

    @property
    @abstractmethod
    def blocks(self) -> Any:
        """The blocks, counted from 0."""

    @property
    @abstractmethod
    def num_prefix_tokens(self) -> int:
        """Tokens in front of the prompts: class token and registers, or the start token."""

    @abstractmethod
    def branch_layers(self, block: int, branch: Branch) -> BranchLayers:
        """Norm, layer and scale of a branch."""

    @abstractmethod
    def init_prompts(self, prompts: Tensor) -> None:
        """Fill new prompts (rows, K, C) with their initial values, in place."""

    @abstractmethod
    def set_fused_attention(self, fused: bool) -> None:
        """Choose the fused implementation of attention, or the plain one."""

    # Blocks and stages.

    def forward_blocks(
        self,
        tokens: Tensor,
        start: int = 0,
        stop: int | None = None,
        *,
        context: StageContext | None = None,
        grid: Grid | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Run the blocks `start` to `stop` - 1.

        Args:
            tokens: (B, N, C), prefix tokens and prompts included.
            start: first block, counted from 0.
            stop: the block after the last; None for all that are left.
            context: handed to every adapter, see `Site`.
            grid: h and w of the patches, handed to every adapter; None in a text tower.
            intermediates: gets what the adapters record, below "adapters" and `site_key`.

        Returns:
            (B, N, C).
        """
        fused = fused_is_faster(tokens)
        if fused != self._fused_attention:
            self.set_fused_attention(fused)
            self._fused_attention = fused
        for block in range(len(self.blocks))[start:stop]:
            tokens = self._renew_prompts(block, tokens)
            for branch in BRANCHES:
                added = self.forward_branch(
                    block, branch, tokens, context=context, grid=grid, intermediates=intermediates
                )
                if len(added) != len(tokens) and context is not None:
                    tokens = context.per_sentence(tokens)
                tokens = tokens + added
        return tokens

    def forward_branch(
        self,
        block: int,
        branch: Branch,
        tokens: Tensor,
        *,
        context: StageContext | None = None,
        grid: Grid | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """The tensor (B, N, C) that one branch of a block adds to the tokens (B, N, C).

        That is the scaled output of its layer, or what the placement at this site returns. With an
        `image_index` of the context and an adapter, I rows of tokens become B rows.
        """
        norm, layer, scale = self.branch_layers(block, branch)
        normed = norm(tokens)
        # Adapters are not computed again: their batch norms would count a batch twice.
        is_kept = not (self.grad_checkpointing and torch.is_grad_enabled())
        out: Tensor = layer(normed) if is_kept else checkpoint(layer, normed, use_reentrant=False)
        key = site_key(block, branch)
        if key not in self.adapters:
            return scale(out)
        if context is not None:  # below its first adapter, a tower has a row per image
            tokens, normed, out = map(context.per_sentence, (tokens, normed, out))
        site = Site(
            tokens,
            normed,
            out,
            scale,
            context=context,
            grid=grid,
            num_extra_tokens=self.num_extra_tokens,
            intermediates=intermediates.sub("adapters").sub(key),
        )
        added: Tensor = self.adapters[key](site)
        return added

    def run_stage_blocks(
        self,
        stage: int,
        tokens: Tensor,
        *,
        context: StageContext | None = None,
        grid: Grid | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Run the blocks of a stage, counted from 1, on tokens (B, N, C)."""
        start, stop = self.stage_blocks(stage)
        return self.forward_blocks(
            tokens, start, stop, context=context, grid=grid, intermediates=intermediates
        )

    def run_last_blocks(
        self,
        tokens: Tensor,
        *,
        context: StageContext | None = None,
        grid: Grid | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Run the blocks after the last stage, of which a system leaves none."""
        start = self.out_indices[-1] + 1
        if start == len(self.blocks):
            return tokens
        return self.forward_blocks(
            tokens, start, context=context, grid=grid, intermediates=intermediates
        )

    def stage_blocks(self, stage: int) -> tuple[int, int]:
        """First block of a stage, counted from 1, and the block after its last."""
        starts = (0, *(last + 1 for last in self.out_indices))
        return starts[stage - 1], starts[stage]

    @property
    def num_stages(self) -> int:
        """Number of stages: one for each of `out_indices`."""
        return len(self.out_indices)

    def set_stages(self, out_indices: Sequence[int] | None = None) -> None:
        """Divide all blocks into stages, as a system requires.

        Args:
            out_indices: last block of each stage, counted from 0; None or empty to leave them
                unchanged.

        Raises:
            ArgumentError: unless the last is the tower's last block.
        """
        depth = len(self.blocks)
        indices = check_out_indices(out_indices or self.out_indices, depth=depth)
        if indices[-1] != depth - 1:
            raise ArgumentError(
                f"out_indices is {list(indices)}; it must be rising numbers of blocks, of which "
                f"the last is the tower's last, {depth - 1}"
            )
        self.out_indices = indices

    # Adapters.

    def add_adapter(self, block: int, branch: Branch, placement: Placement) -> None:
        """Put an adapter at a branch of a block, on the tower's device and in its float type.

        Args:
            block: counted from 0.
            branch: "attention" or "mlp".
            placement: the adapter in its place, for instance ``Serial(adapter)``; it maps the
                `Site` to what the block adds instead of scale(out), (B, N, C).

        Raises:
            ArgumentError: if there is no such block or branch, or the site is taken.
        """
        if block not in range(len(self.blocks)):
            raise ArgumentError(
                f"no block {block} to add an adapter to: "
                f"this tower has the blocks 0 to {len(self.blocks) - 1}"
            )
        if branch not in BRANCHES:
            raise ArgumentError(f'no branch "{branch}" in a block: choose {" or ".join(BRANCHES)}')
        key = site_key(block, branch)
        if key in self.adapters:
            raise ArgumentError(
                f"block {block} already has an adapter at its {branch} branch "
                f"({type(self.adapters[key]).__name__}): each branch takes one"
            )
        like = next(self.parameters())
        self.adapters[key] = placement.to(device=like.device, dtype=like.dtype)

    # Prompts.

    def add_prompts(self, count: int, *, deep: bool = False) -> None:
        """Put learned tokens after the prefix tokens.

        Args:
            count: K, number of prompts.
            deep: a set of prompts per block: those that come out of a block are replaced.

        Raises:
            ArgumentError: if the count is below 1, or there are prompts already.
        """
        if count < 1:
            raise ArgumentError(f"{count} prompts: there has to be at least one")
        if self.prompts is not None:
            raise ArgumentError(
                f"this tower already has {self.prompts.shape[1]} prompts; another number of them "
                "needs a new tower"
            )
        like = next(self.parameters())
        rows = len(self.blocks) if deep else 1
        prompts = torch.empty(rows, count, self.embed_dim, device=like.device, dtype=like.dtype)
        self.init_prompts(prompts)
        self.prompts = nn.Parameter(prompts)

    @property
    def num_prompts(self) -> int:
        """K, number of prompts among the tokens."""
        return 0 if self.prompts is None else self.prompts.shape[1]

    @property
    def num_extra_tokens(self) -> int:
        """Tokens before the patches or words: the prefix tokens and the prompts."""
        return self.num_prefix_tokens + self.num_prompts

    def insert_prompts(self, tokens: Tensor) -> Tensor:
        """Put in the prompts of the first block: (B, N, C) to (B, N + K, C)."""
        return self._with_prompts(tokens, row=0, num_replaced=0)

    def drop_prompts(self, tokens: Tensor) -> Tensor:
        """Take the prompts out: (B, N + K, C) to (B, N, C)."""
        if self.prompts is None:
            return tokens
        prefix = tokens[:, : self.num_prefix_tokens]
        return torch.cat([prefix, tokens[:, self.num_extra_tokens :]], dim=1)

    def _renew_prompts(self, block: int, tokens: Tensor) -> Tensor:
        if self.prompts is None or block == 0 or len(self.prompts) == 1:
            return tokens
        return self._with_prompts(tokens, row=block, num_replaced=self.num_prompts)

    def _with_prompts(self, tokens: Tensor, *, row: int, num_replaced: int) -> Tensor:
        if self.prompts is None:
            return tokens
        prompts = self.prompts[row].to(tokens.dtype).expand(len(tokens), -1, -1)
        prefix = self.num_prefix_tokens
        return torch.cat([tokens[:, :prefix], prompts, tokens[:, prefix + num_replaced :]], dim=1)


def set_grad_checkpointing(model: nn.Module, enabled: bool = True) -> None:
    """Let all transformer towers in a model compute attention and MLP again in the backward pass.

    Their intermediate results are then not kept (Chen et al., 2016, "Training deep nets with
    sublinear memory cost"). Without fused attention its weights would be the largest of these.

    Args:
        model: a system or a tower.
        enabled: false to keep them again.
    """
    for module in model.modules():
        if isinstance(module, TransformerTower):
            module.grad_checkpointing = enabled


def check_out_indices(out_indices: Sequence[int] | None, *, depth: int) -> tuple[int, ...]:
    """The last block of each stage, counted from 0; None stands for three stages of equal depth.

    A tower of one or two blocks has a stage per block instead, so no system can be made of it.

    Raises:
        ArgumentError: unless the indices rise within the tower.

    >>> check_out_indices(None, depth=12)
    (3, 7, 11)
    """
    if out_indices is None:
        count = min(depth, DEFAULT_NUM_STAGES)
        return tuple(depth * stage // count - 1 for stage in range(1, count + 1))
    indices = tuple(out_indices)
    rising = all(before < after for before, after in pairwise((-1, *indices)))
    if not indices or not rising or indices[-1] >= depth:
        raise ArgumentError(
            f"out_indices is {list(indices)}; it must be rising numbers of blocks, counted from 0 "
            f"to {depth - 1}"
        )
    return indices
