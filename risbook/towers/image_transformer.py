"""The image towers that are transformers: CLIP's ViT and DINOv2 with registers.

The network is timm's `VisionTransformer`; this file runs it stage by stage, at any size of image,
with the position tables resized as the systems' released codes resize them.

- CLIP (Radford et al., 2021): a class token with its own row in the position table, a norm before
  the blocks, QuickGELU, and a projection into the space that it shares with the text tower.
- DINOv2 with registers (Oquab et al., 2024; Darcet et al., 2024): four register tokens between
  the class token and the patches, LayerScale, exact GELU, no projection.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import torch
from einops import rearrange
from torch import Tensor, nn

from risbook.errors import DataError
from risbook.towers.attention import fused_is_quicker
from risbook.towers.features import ImageFeatures
from risbook.towers.pos_embed import (
    CachedPosEmbed,
    resize_clip_pos_embed,
    resize_dinov2_pos_embed,
)
from risbook.towers.transformer_tower import Branch, TransformerTower

Kind = Literal["clip", "dinov2"]
Grid = tuple[int, int]


class ImageTransformer(TransformerTower):
    """A frozen-to-be vision transformer whose blocks can be run one group at a time.

    Tokens are ordered class, registers, prompts if `add_prompts` gave it any, patches row by row.

    Args:
        kind: "clip" or "dinov2": which of the two designs above.
        width: width C of the tokens.
        depth: number of blocks.
        heads: attention heads.
        patch: side of a patch, pixels.
        table: side of the position table, patches.
        registers: number of register tokens.
        projection: width of the space shared with a text tower; None for none.
        layer_scale: first value of DINOv2's LayerScale; CLIP has none.
        taps: after how many blocks a map is handed out; ETRIS and DETRIS take 4, 8 and 12 of 12
            (DETRIS: 5, 9 and 12).

    Attributes:
        vit: timm's network, with timm's names.
        projection: (C, P), or None.

    >>> tower = ImageTransformer(kind="clip", width=16, depth=3, heads=2, patch=8, table=4,
    ...                          projection=8, taps=(1, 2, 3))
    >>> features = tower(torch.zeros(2, 3, 32, 48))
    >>> [tuple(one.shape) for one in features.maps]
    [(2, 16, 4, 6), (2, 16, 4, 6), (2, 8, 4, 6)]
    """

    def __init__(
        self,
        *,
        kind: Kind,
        width: int,
        depth: int,
        heads: int,
        patch: int,
        table: int,
        registers: int = 0,
        projection: int | None = None,
        layer_scale: float = 1e-5,
        taps: Sequence[int] = (4, 8, 12),
    ) -> None:
        super().__init__()
        from timm.models.vision_transformer import VisionTransformer

        clip = kind == "clip"
        self.kind = kind
        self.width = width
        self.patch = patch
        self.taps = tuple(taps)
        self.vit: Any = VisionTransformer(
            img_size=table * patch,
            patch_size=patch,
            num_classes=0,
            embed_dim=width,
            depth=depth,
            num_heads=heads,
            reg_tokens=registers,
            no_embed_class=not clip,
            pre_norm=clip,
            init_values=None if clip else layer_scale,
            norm_layer=partial(nn.LayerNorm, eps=1e-5 if clip else 1e-6),
            act_layer="quick_gelu" if clip else "gelu",
        )
        self._resized = (
            CachedPosEmbed(resize_clip_pos_embed, prefix=1)
            if clip
            else CachedPosEmbed(resize_dinov2_pos_embed, prefix=0)
        )
        self.projection: nn.Parameter | None = None
        if projection is not None:
            self.projection = nn.Parameter(torch.randn(width, projection) * width**-0.5)

    @property
    def blocks(self) -> Sequence[Any]:
        """The blocks; each has norm1, attn, ls1, norm2, mlp and ls2, as timm names them."""
        blocks: Sequence[Any] = self.vit.blocks
        return blocks

    @property
    def prefix(self) -> int:
        """Tokens before the patches: the class token, the registers and the prompts."""
        return self.before_prompts + self.prompt_count

    @property
    def before_prompts(self) -> int:
        """Tokens before the prompts: the class token and the registers."""
        return int(self.vit.num_prefix_tokens)

    def draw_prompts(self, prompts: Tensor) -> None:
        """Fill new prompts as visual prompt tuning does (Jia et al., 2022; released code)."""
        # Xavier's rule for a layer from the pixels of a patch to the width.
        bound = math.sqrt(6 / (3 * self.patch**2 + self.width))
        nn.init.uniform_(prompts, -bound, bound)

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the maps that `forward` hands out."""
        last = self.width if self.projection is None else self.projection.shape[1]
        return (*(self.width for _ in self.taps[:-1]), last)

    @property
    def strides(self) -> tuple[int, ...]:
        """Strides of these maps: all of them that of the patches."""
        return tuple(self.patch for _ in self.taps)

    def grid(self, images: Tensor) -> Grid:
        """Rows and columns of patches of a batch of images (B, 3, H, W).

        Raises:
            DataError: if patches do not tile the image.
        """
        height, width = images.shape[-2:]
        if height % self.patch or width % self.patch:
            raise DataError(
                f"an image of {height} x {width} pixels is not tiled by patches of {self.patch}: "
                f"make both sides multiples of {self.patch}"
            )
        return height // self.patch, width // self.patch

    def position_table(self, grid: Grid) -> Tensor:
        """The position table for a grid: (1, N, C), for CLIP with the class token's row first."""
        return self._resized(self.vit.pos_embed, grid)

    def embed(self, images: Tensor, *, hidden: Tensor | None = None) -> tuple[Tensor, Grid]:
        """Everything before the first block.

        Args:
            images: normalised images (B, 3, H, W).
            hidden: optional, bool (B, N): patches of which only the place in the table is kept,
                for training on masked patches. (DINOv2 learns a vector for them instead; a frozen
                tower needs neither.)

        Returns:
            Tokens (B, prefix + N, C) and the grid (rows, columns), N their product.
        """
        grid = self.grid(images)
        batch = images.shape[0]
        patches = self.vit.patch_embed.proj(images).flatten(2).transpose(1, 2)
        if hidden is not None:
            patches = patches.masked_fill(hidden[..., None], 0.0)
        table = self.position_table(grid)
        first = self.vit.cls_token
        if self.kind == "clip":
            first, table = first + table[:, :1], table[:, 1:]
        prefix = [first.expand(batch, -1, -1)]
        if self.vit.reg_token is not None:
            prefix.append(self.vit.reg_token.expand(batch, -1, -1))
        tokens = torch.cat([*prefix, patches + table], dim=1)
        embedded: Tensor = self.vit.norm_pre(tokens)
        return self.insert_prompts(embedded), grid

    def run(self, tokens: Tensor, start: int = 0, stop: int | None = None) -> Tensor:
        """Run the blocks `start` to `stop` - 1.

        Args:
            tokens: (B, prefix + N, C).
            start: first block, counted from 0.
            stop: the block after the last; None for all that are left.

        Returns:
            (B, prefix + N, C).
        """
        fused = fused_is_quicker(tokens)
        for number in range(len(self.blocks))[start:stop]:
            self.blocks[number].attn.fused_attn = fused
            tokens = self.renew_prompts(number, tokens)
            tokens = tokens + self.branch(number, "attention", tokens)
            tokens = tokens + self.branch(number, "mlp", tokens)
        return tokens

    def branch(self, number: int, branch: Branch, tokens: Tensor) -> Tensor:
        """What one of a block's two branches adds to the tokens, its adapter included.

        Args:
            number: number of the block, from 0.
            branch: "attention" or "mlp".
            tokens: (B, prefix + N, C), as they come to this branch.

        Returns:
            (B, prefix + N, C).
        """
        block = self.blocks[number]
        if branch == "attention":
            out = block.ls1(block.attn(block.norm1(tokens)))
        else:
            out = block.ls2(block.mlp(block.norm2(tokens)))
        return self.adapted(number, branch, tokens, out)

    def to_map(self, tokens: Tensor, grid: Grid) -> Tensor:
        """The patch tokens as a map: (B, prefix + N, C) to (B, C, rows, columns)."""
        return rearrange(
            tokens[:, self.prefix :], "b (row column) c -> b c row column", row=grid[0]
        )

    def with_map(self, tokens: Tensor, patches: Tensor) -> Tensor:
        """Put a map (B, C, rows, columns) into the place of the patch tokens."""
        rows = rearrange(patches, "b c row column -> b (row column) c")
        return torch.cat([tokens[:, : self.prefix], rows], dim=1)

    def finish(self, tokens: Tensor) -> Tensor:
        """The last norm and, for CLIP, the projection: (B, prefix + N, C) to (B, prefix + N, P)."""
        normed: Tensor = self.vit.norm(tokens)
        return normed if self.projection is None else normed @ self.projection

    def pooled(self, images: Tensor) -> Tensor:
        """One vector an image: the finished class token, (B, P); what CLIP compares with text."""
        tokens, _ = self.embed(images)
        return self.finish(self.run(tokens)[:, :1])[:, 0]

    def forward(self, images: Tensor, *, record: dict[str, Tensor] | None = None) -> ImageFeatures:
        """Run the tower.

        Args:
            images: normalised images (B, 3, H, W), H and W multiples of the patch.
            record: filled with "embedded", "block4" and so on (tokens), and "finished".

        Returns:
            One map for each tap: as the blocks left them, (B, C, H / patch, W / patch), the last
            one after the norm and the projection.
        """
        tokens, grid = self.embed(images)
        if record is not None:
            record["embedded"] = tokens
        maps, done = [], 0
        for tap in self.taps:
            tokens, done = self.run(tokens, done, tap), tap
            maps.append(self.to_map(tokens, grid))
            if record is not None:
                record[f"block{tap}"] = tokens
        finished = self.finish(self.run(tokens, done))
        maps[-1] = self.to_map(finished, grid)
        if record is not None:
            record["finished"] = finished
        return ImageFeatures(maps=tuple(maps), strides=self.strides)
