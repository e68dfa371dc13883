"""The image towers that are transformers: CLIP's ViT and DINOv2.

The network is timm's `VisionTransformer`; this file runs it stage by stage, at any image size,
with the position embeddings resized as the released repositories of the systems resize them.

`risbook.towers.vision_styles` has the differences between CLIP and DINOv2.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn

from risbook.errors import ArgumentError, DataError
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.layers.pos_embed import Grid
from risbook.towers.frozen_prefix import CachedImages, FrozenPrefixCache, count_frozen_blocks
from risbook.towers.sites import Branch
from risbook.towers.stages import StageContext, StagedImageTower
from risbook.towers.transformer_tower import BranchLayers, TransformerTower
from risbook.towers.vision_styles import STYLES


class TokenState(NamedTuple):
    """Tokens between two stages.

    Args:
        tokens: (B, E + h w, C), E extra tokens (`num_extra_tokens`) before the patches.
        grid: h and w, rows and columns of patches.
        source: the images, as long as the tokens depend on nothing else and a cache is used.
    """

    tokens: Tensor
    grid: Grid
    source: CachedImages | None = None


class ImageTransformer(TransformerTower, StagedImageTower):
    """A vision transformer whose blocks run one group at a time.

    The tokens are, in this order: class token, registers, prompts (if `add_prompts` added any),
    patches row by row.

    Args:
        style: "clip" or "dinov2", a name of `STYLES`.
        embed_dim: C, channels of the tokens.
        depth: number of blocks.
        num_heads: attention heads.
        patch_size: side of a patch, pixels.
        pos_grid: side of the grid of position embeddings, patches.
        num_registers: number of register tokens.
        output_dim: P, channels of the space shared with a text tower; None for none.
        layer_scale: initial value of LayerScale, where the style has it.
        out_indices: blocks after which `forward` returns a map, counted from 0; None for three
            stages of equal depth, as in ETRIS. DETRIS (Huang et al., 2025) has 4, 8 and 11 of 12.

    Raises:
        ArgumentError: if there is no such style.

    Attributes:
        vit: timm's network, with timm's names.
        projection: (C, P), or None.
        prefix_cache: set by `cache_frozen_prefix`; None for no cache.

    >>> tower = ImageTransformer(style="clip", embed_dim=16, depth=3, num_heads=2, patch_size=8,
    ...                          pos_grid=4, output_dim=8)
    >>> [tuple(feature_map.shape) for feature_map in tower(torch.zeros(2, 3, 32, 48)).maps]
    [(2, 16, 4, 6), (2, 16, 4, 6), (2, 8, 4, 6)]
    """

    architecture = "vit"
    shares_images = True
    lora_targets = r"vit\.blocks\.\d+\.attn\.(qkv|proj)"

    def __init__(
        self,
        *,
        style: str,
        embed_dim: int,
        depth: int,
        num_heads: int,
        patch_size: int,
        pos_grid: int,
        num_registers: int = 0,
        output_dim: int | None = None,
        layer_scale: float = 1e-5,
        out_indices: Sequence[int] | None = None,
    ) -> None:
        super().__init__(embed_dim=embed_dim, depth=depth, out_indices=out_indices)
        from timm.models.vision_transformer import VisionTransformer

        if style not in STYLES:
            raise ArgumentError(f'no style "{style}": choose {" or ".join(STYLES)}')
        self.style = STYLES[style]
        self.prefix_cache: FrozenPrefixCache | None = None
        self.patch_size = patch_size
        self.pos_grid = pos_grid
        self.vit: Any = VisionTransformer(
            img_size=pos_grid * patch_size,
            patch_size=patch_size,
            num_classes=0,
            embed_dim=embed_dim,
            depth=depth,
            num_heads=num_heads,
            reg_tokens=num_registers,
            no_embed_class=not self.style.class_pos_embed,
            pre_norm=self.style.pre_norm,
            init_values=layer_scale if self.style.layer_scale else None,
            norm_layer=partial(nn.LayerNorm, eps=self.style.norm_eps),
            act_layer=self.style.activation,
        )
        self.projection: nn.Parameter | None = None
        if output_dim is not None:
            self.projection = nn.Parameter(torch.randn(embed_dim, output_dim) * embed_dim**-0.5)

    @staticmethod
    def arguments_for_size(arguments: Mapping[str, Any], image_size: int) -> dict[str, Any]:
        """The grid of position embeddings for one image size, if they are resized once."""
        side = image_size // int(arguments["patch_size"])
        is_changed = STYLES[arguments["style"]].resized_once and side != arguments["pos_grid"]
        return {"pos_grid": side} if is_changed else {}

    @property
    def blocks(self) -> Sequence[Any]:
        """The blocks; each has norm1, attn, ls1, norm2, mlp and ls2, as timm names them."""
        blocks: Sequence[Any] = self.vit.blocks
        return blocks

    @property
    def pos_embed(self) -> nn.Parameter:
        """The learned position embeddings, (1, N, C); CLIP's begin with that of the class token."""
        pos_embed: nn.Parameter = self.vit.pos_embed
        return pos_embed

    @property
    def num_prefix_tokens(self) -> int:
        """Tokens before prompts and patches: the class token and the registers."""
        return int(self.vit.num_prefix_tokens)

    @property
    def output_dim(self) -> int:
        """P, channels after the projection, or C where there is none."""
        return self.embed_dim if self.projection is None else self.projection.shape[1]

    @property
    def image_step(self) -> int:
        """Image sides are multiples of the patch size, pixels."""
        return self.patch_size

    @property
    def strides(self) -> tuple[int, ...]:
        """Stride of the map after each stage, pixels: the patch size."""
        return tuple(self.patch_size for _ in self.out_indices)

    @property
    def stage_dims(self) -> tuple[int, ...]:
        """Channels of the map after each stage."""
        return tuple(self.embed_dim for _ in self.out_indices)

    def grid(self, images: Tensor) -> Grid:
        """Rows and columns of patches of a batch of images (B, 3, H, W).

        Raises:
            DataError: if patches do not tile the image.
        """
        height, width = images.shape[-2:]
        if height % self.patch_size or width % self.patch_size:
            raise DataError(
                f"an image of {height} x {width} pixels is not tiled by patches of "
                f"{self.patch_size}: make both sides multiples of {self.patch_size}"
            )
        return height // self.patch_size, width // self.patch_size

    def resize_pos_embed(self, pos_embed: Tensor, grid: Grid) -> Tensor:
        """Position embeddings (1, N, C) for another grid, by the rule of this style."""
        return self.style.resize(pos_embed, grid)

    def embed(self, images: Tensor, *, mask: Tensor | None = None) -> tuple[Tensor, Grid]:
        """Everything before the first block.

        Args:
            images: normalised images (B, 3, H, W).
            mask: bool (B, h w), true for patches whose content is zeroed, for masked image
                modelling. (DINOv2 learns a mask token instead; a frozen tower needs neither.)

        Returns:
            Tokens (B, E + h w, C) and the grid (h, w).
        """
        grid = self.grid(images)
        batch = images.shape[0]
        patches = self.vit.patch_embed.proj(images).flatten(2).transpose(1, 2)
        if mask is not None:
            patches = patches.masked_fill(mask[..., None], 0.0)
        pos_embed = self.resize_pos_embed(self.pos_embed, grid)
        class_token = self.vit.cls_token
        if self.style.class_pos_embed:
            class_token, pos_embed = class_token + pos_embed[:, :1], pos_embed[:, 1:]
        prefix = [class_token.expand(batch, -1, -1)]
        if self.vit.reg_token is not None:
            prefix.append(self.vit.reg_token.expand(batch, -1, -1))
        tokens = torch.cat([*prefix, patches + pos_embed], dim=1)
        embedded: Tensor = self.vit.norm_pre(tokens)
        return self.insert_prompts(embedded), grid

    def branch_layers(self, block: int, branch: Branch) -> BranchLayers:
        """Norm, layer and LayerScale of a branch."""
        layers = self.blocks[block]
        if branch == "attention":
            return layers.norm1, layers.attn, layers.ls1
        return layers.norm2, layers.mlp, layers.ls2

    def set_fused_attention(self, fused: bool) -> None:
        """Choose timm's fused implementation of attention, or its plain one."""
        for block in self.blocks:
            block.attn.fused_attn = fused

    def init_prompts(self, prompts: Tensor) -> None:
        """Fill new prompts as visual prompt tuning does (Jia et al., 2022; released code)."""
        # Xavier's rule for a layer from the pixels of a patch to the channels.
        bound = math.sqrt(6 / (3 * self.patch_size**2 + self.embed_dim))
        nn.init.uniform_(prompts, -bound, bound)

    def tokens_to_map(self, tokens: Tensor, grid: Grid) -> Tensor:
        """The patch tokens as a map: (B, E + h w, C) to (B, C, h, w)."""
        patches = tokens[:, self.num_extra_tokens :]
        return rearrange(patches, "b (row column) c -> b c row column", row=grid[0])

    def replace_patches(self, tokens: Tensor, feature_map: Tensor) -> Tensor:
        """Tokens (B, E + h w, C) with the map (B, C, h, w) in place of the patch tokens."""
        patches = rearrange(feature_map, "b c row column -> b (row column) c")
        return torch.cat([tokens[:, : self.num_extra_tokens], patches], dim=1)

    def forward_final(self, tokens: Tensor) -> Tensor:
        """The last norm and, for CLIP, the projection: (B, N, C) to (B, N, P)."""
        normed: Tensor = self.vit.norm(tokens)
        return normed if self.projection is None else normed @ self.projection

    def pooled(self, images: Tensor) -> Tensor:
        """One vector per image, (B, P): the final class token, which CLIP compares with text."""
        tokens, grid = self.embed(images)
        return self.forward_final(self.forward_blocks(tokens, grid=grid)[:, :1])[:, 0]

    def pooled_with_map(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The result of `pooled`, (B, P), and the final map of the patches, (B, P, h, w)."""
        tokens, grid = self.embed(images)
        tokens = self.forward_final(self.forward_blocks(tokens, grid=grid))
        return tokens[:, 0], self.tokens_to_map(tokens, grid)

    # The interface of `risbook.towers.stages`.

    def begin_stages(
        self, inputs: Tensor, *, intermediates: Intermediates = NO_INTERMEDIATES
    ) -> TokenState:
        """Embed images (B, 3, H, W); records the tokens (B, N, C) as "embedded"."""
        state = TokenState(*self.embed(inputs))
        intermediates["embedded"] = state.tokens
        if self.prefix_cache is None or inputs.requires_grad or not count_frozen_blocks(self):
            return state
        return state._replace(source=self.prefix_cache.recognise(inputs))

    def run_stage(
        self,
        stage: int,
        state: TokenState,
        *,
        context: StageContext | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> TokenState:
        """Run the blocks of a stage, counted from 1.

        Records the tokens (B, N, C) that leave the stage, and what its adapters record.
        """
        start, stop = self.stage_blocks(stage)
        tokens, source = state.tokens, state.source
        if source is not None and self.prefix_cache is not None:
            frozen_stop = min(stop, count_frozen_blocks(self))
            if frozen_stop > start:
                tokens = self.prefix_cache.tokens_after(self, source, tokens, start, frozen_stop)
                start = frozen_stop
            source = source if frozen_stop == stop else None
        tokens = self.forward_blocks(
            tokens,
            start,
            stop,
            context=context,
            grid=state.grid,
            intermediates=intermediates,
        )
        intermediates.sub("stages")[str(stage)] = tokens
        return TokenState(tokens, state.grid, source)

    def stage_map(self, state: TokenState) -> Tensor:
        """The patch tokens as a map (B, C, h, w)."""
        return self.tokens_to_map(state.tokens, state.grid)

    def with_stage_map(self, state: TokenState, feature_map: Tensor) -> TokenState:
        """The state with another map (B, C, h, w); class token and registers stay."""
        return TokenState(self.replace_patches(state.tokens, feature_map), state.grid)

    def select_rows(self, state: TokenState, rows: Tensor) -> TokenState:
        """The tokens of these rows."""
        return TokenState(state.tokens[rows], state.grid)

    def final_map(
        self,
        state: TokenState,
        *,
        context: StageContext | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """The map (B, P, h, w) after the blocks of no stage, the last norm and the projection.

        Records the tokens (B, N, P) as "final".
        """
        tokens = self.run_last_blocks(
            state.tokens, context=context, grid=state.grid, intermediates=intermediates
        )
        tokens = intermediates["final"] = self.forward_final(tokens)
        return self.tokens_to_map(tokens, state.grid)
