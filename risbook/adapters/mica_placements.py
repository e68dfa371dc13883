"""Where MiCA's adapters stand in frozen blocks: GLiA after the attention, CAA beside the MLP.

MiCA (Li et al., 2026); released code. With x the tokens that come to the branch, t the text tokens,
c the condition of FiLM, LayerScale gamma of DINOv2 (1 in the text tower), and $\\bar x$ = norm(x):

$$\\text{GLiA, both towers:} \\quad a = x + \\gamma\\,\\text{Attention}(\\bar x), \\qquad
a + \\text{GLiA}(a)$$
$$\\text{CAA, image tower:} \\quad
x + \\gamma\\, (\\text{MLP}(\\bar x) + \\text{CAA}(\\bar x, t, c))$$
$$\\text{CAA, text tower:} \\quad x + \\text{MLP}(\\bar x) + \\text{CAA}(x)$$

So the result of the image tower's CAA passes LayerScale, that of GLiA does not. The released
configuration for RefCOCO has GLiA in the blocks 1, 5 and 9 of both towers and CAA in the blocks 3,
7 and 11.
"""

import torch
from torch import Tensor

from risbook.adapters.caa import CAA
from risbook.adapters.glia import GLiA
from risbook.adapters.mica_options import CAAConfig, Condition, GLiAConfig, TextMiCAConfig
from risbook.adapters.text_caa import TextCAA
from risbook.towers.sites import Placement, Site
from risbook.towers.stages import StageContext
from risbook.towers.transformer_tower import TransformerTower


class GLiAPlacement(Placement):
    """GLiA after the attention: scale(out) + GLiA(x + scale(out)), see `Site`.

    Args:
        adapter: a `GLiA`, or another module with its `forward`.
        mask_padding: whether padding is masked, in a text tower that runs with a `StageContext`.
    """

    def __init__(self, adapter: GLiA, *, mask_padding: bool = False) -> None:
        super().__init__(adapter)
        self.mask_padding = mask_padding

    def forward(self, site: Site) -> Tensor:
        """The sum that the block adds to its tokens, (B, N, C)."""
        attn_out = site.scale(site.out)
        adapted: Tensor = self.adapter(
            site.x + attn_out,
            grid=site.grid,
            num_extra_tokens=site.num_extra_tokens,
            key_padding_mask=_padding(site) if self.mask_padding else None,
            intermediates=site.intermediates,
        )
        return attn_out + adapted


class CAAPlacement(Placement):
    """CAA beside the MLP of an image tower: scale(out + CAA(normed, t, c)), see `Site`.

    Args:
        adapter: a `CAA`, or another module with its `forward`.
        condition: "end" for the end token of each sentence; otherwise the adapter takes the start
            token, if it has FiLM.
        mask_padding: whether padding of the text is masked.
    """

    def __init__(
        self, adapter: CAA, *, condition: Condition = "start", mask_padding: bool = False
    ) -> None:
        super().__init__(adapter)
        self.condition = condition
        self.mask_padding = mask_padding

    def forward(self, site: Site) -> Tensor:
        """The sum that the block adds to its tokens, (B, N, C).

        Raises:
            ArgumentError: if the tower runs without a text.
        """
        context = site.require_context("a CAA reads the text")
        aligned: Tensor = self.adapter(
            site.normed,
            context.text_tokens,
            end_tokens(context) if self.condition == "end" else None,
            grid=site.grid,
            num_extra_tokens=site.num_extra_tokens,
            key_padding_mask=context.key_padding_mask if self.mask_padding else None,
            intermediates=site.intermediates,
        )
        return site.scale(site.out + aligned)


class TextCAAPlacement(Placement):
    """CAA beside the MLP of a text tower: scale(out) + CAA(x), see `Site`.

    Args:
        adapter: a `TextCAA`, or another module with its `forward`.
        mask_padding: whether padding is masked; the tower then runs with a `StageContext`.
    """

    def __init__(self, adapter: TextCAA, *, mask_padding: bool = False) -> None:
        super().__init__(adapter)
        self.mask_padding = mask_padding

    def forward(self, site: Site) -> Tensor:
        """The sum that the block adds to its tokens, (B, L, T)."""
        adapted: Tensor = self.adapter(
            site.x,
            num_extra_tokens=site.num_extra_tokens,
            key_padding_mask=_padding(site) if self.mask_padding else None,
            intermediates=site.intermediates,
        )
        return site.scale(site.out) + adapted


def end_tokens(context: StageContext) -> Tensor:
    """The last token of each sentence that is no padding, (B, T); CLIP's end token."""
    text_tokens, padding = context.text_tokens, context.key_padding_mask
    if padding is None:
        return text_tokens[:, -1]
    rows = torch.arange(len(text_tokens), device=text_tokens.device)
    return text_tokens[rows, (~padding).sum(dim=1) - 1]


def add_mica_image_adapters(
    tower: TransformerTower, glia: GLiAConfig, caa: CAAConfig, *, text_dim: int
) -> None:
    """Put new GLiAs and CAAs into an image tower, frozen by the caller.

    Args:
        tower: the image tower.
        glia: sizes and choices of GLiA.
        caa: sizes and choices of CAA.
        text_dim: T, channels of the text tokens.

    Raises:
        ArgumentError: if the tower has no such block, or an adapter stands there.
    """
    for block in glia.blocks:
        local = GLiA(
            dim=tower.embed_dim,
            bottleneck_dim=glia.bottleneck_dim,
            num_heads=glia.num_heads,
            dropout=glia.dropout,
            spatial_dims=glia.spatial_dims,
            zero_init=glia.zero_init,
        )
        tower.add_adapter(block, "attention", GLiAPlacement(local))
    for block in caa.blocks:
        cross = CAA(
            dim=tower.embed_dim,
            text_dim=text_dim,
            bottleneck_dim=caa.bottleneck_dim,
            attn_dim=caa.attn_dim,
            num_heads=caa.num_heads,
            dropout=caa.dropout,
            film=caa.condition != "none",
            film_projected=caa.film_projected,
            add_mixture=caa.add_mixture,
            zero_init=caa.zero_init,
        )
        placement = CAAPlacement(cross, condition=caa.condition, mask_padding=caa.mask_padding)
        tower.add_adapter(block, "mlp", placement)


def add_mica_text_adapters(
    tower: TransformerTower, glia: TextMiCAConfig, caa: TextMiCAConfig
) -> None:
    """Put new GLiAs and CAAs into a text tower, frozen by the caller.

    Args:
        tower: the text tower.
        glia: sizes and choices of GLiA.
        caa: sizes and choices of CAA.

    Raises:
        ArgumentError: if the tower has no such block, or an adapter stands there.
    """
    for block in glia.blocks:
        local = GLiA(
            dim=tower.embed_dim,
            bottleneck_dim=glia.bottleneck_dim,
            num_heads=glia.num_heads,
            dropout=glia.dropout,
            modality="text",
            zero_init=glia.zero_init,
        )
        placement = GLiAPlacement(local, mask_padding=glia.mask_padding)
        tower.add_adapter(block, "attention", placement)
    for block in caa.blocks:
        mixer = TextCAA(
            dim=tower.embed_dim,
            bottleneck_dim=caa.bottleneck_dim,
            num_heads=caa.num_heads,
            dropout=caa.dropout,
            zero_init=caa.zero_init,
        )
        tower.add_adapter(block, "mlp", TextCAAPlacement(mixer, mask_padding=caa.mask_padding))


def _padding(site: Site) -> Tensor | None:
    """Which tokens of a text tower are padding, as its context knows it.

    Raises:
        ArgumentError: if the tower runs without a context.
    """
    context = site.require_context("mask_padding needs the padding", tower="text tower")
    return context.key_padding_mask
