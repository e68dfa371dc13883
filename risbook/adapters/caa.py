"""CAA, the Cross-Modal Alignment Adapter: image tokens of a frozen block attend to the text.

MiCA (Li et al., 2026); released code. The image tokens x are reduced to r channels. A multi-scale
convolution on the grid mixes each patch with its neighbours, and FiLM modulates the result by a
condition c, a vector of the sentence. The modulated patches are the query of a cross-attention over
the text tokens t. A linear layer brings the tokens back to C channels, and a gate scales them:

$$h = \\text{ReLU}(W_{down}\\, x) \\qquad u = \\text{FiLM}(\\text{BN}(h + \\text{conv}(h)), c)
\\qquad \\text{CAA}(x, t, c) = \\sigma(g)\\, W_{up}\\, (h + \\text{Attention}(u, t, t))$$

It is the Dense Aligner of DETRIS with another convolution, with FiLM, and with a gate; CAA attends
to all text tokens but the first.

Four facts of the released code that the figures of the paper do not show:

- The condition c is the *first* text token, CLIP's start token. With CLIP's causal mask this token
  reads no other, so it is the same for all sentences, unless an adapter in the text tower lets it
  read the words. CLIP's own vector of a sentence is the end token.
- Convolution and FiLM reach the output only as the query, as in the Dense Aligner: at the initial
  weights the attention is nearly flat, and their gradients are small. With `add_mixture`, u is
  added to the sum as well.
- The extra tokens (class token, registers) skip convolution and attention. Instead of an attention
  output, h itself is added to them, which gives 2 h.
- Padding of the text takes part in the attention. A key padding mask excludes it.

The released attention clamps scores so that float16 cannot overflow. Only the guard on its output
is kept.
"""

import torch
from torch import Tensor, nn

from risbook.adapters.cross_attention import CrossAttention
from risbook.adapters.film import FiLM
from risbook.adapters.gate import Gate
from risbook.adapters.mica_weights import init_linears, zero_output
from risbook.adapters.multi_scale_conv import MultiScaleConv
from risbook.adapters.patch_grid import fit_grid, map_to_patches, patches_to_map
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.keyword_aliases import keyword_aliases
from risbook.layers.attention import check_num_heads
from risbook.layers.numeric_guards import finite_or_zero
from risbook.layers.pos_embed import Grid


class CAA(nn.Module):
    """Image tokens (B, N, C) and text tokens (B, L, T) to what is added to the image tokens.

    It works in any vision transformer. MiCA adds its result to the output of the MLP, see
    `risbook.adapters.mica_placements`.

    >>> import torch
    >>> caa = CAA(dim=64, text_dim=48, bottleneck_dim=16, attn_dim=16, num_heads=2)
    >>> tokens = torch.randn(2, 1 + 6 * 6, 64)  # a class token and 6 x 6 patches
    >>> caa(tokens, torch.randn(2, 17, 48)).shape
    torch.Size([2, 37, 64])

    Args:
        dim: C, channels of the image tokens.
        text_dim: T, channels of the text tokens.
        bottleneck_dim: r, channels between the two outer linear layers.
        attn_dim: channels of the cross-attention.
        num_heads: its heads, which divide `attn_dim`.
        dropout: probability that an attention weight is dropped in training.
        film: whether FiLM modulates the query.
        film_projected: whether FiLM reads the condition after the attention's projection of text,
            at `attn_dim` in place of T channels; the released code does not.
        add_mixture: whether the query u is added to the patches beside the attention; not as
            released.
        zero_init: whether W_up starts at zero, so that the tower first computes what it computed
            without the adapter; not as released.
        scale: a constant in place of the learned gate, see `Gate`.

    Raises:
        ArgumentError: if the heads do not divide `attn_dim`.
    """

    @keyword_aliases({"embed_dim": "dim"})
    def __init__(
        self,
        *,
        dim: int,
        text_dim: int,
        bottleneck_dim: int = 128,
        attn_dim: int = 128,
        num_heads: int = 8,
        dropout: float = 0.1,
        film: bool = True,
        film_projected: bool = False,
        add_mixture: bool = False,
        zero_init: bool = False,
        scale: float | None = None,
    ) -> None:
        super().__init__()
        check_num_heads(num_heads, attn_dim, name="attn_dim")
        self.down = nn.Linear(dim, bottleneck_dim)
        self.conv = MultiScaleConv(bottleneck_dim)
        self.conv_norm = nn.BatchNorm2d(bottleneck_dim)
        self.film = FiLM(attn_dim if film_projected else text_dim, bottleneck_dim) if film else None
        self.cross = CrossAttention(
            bottleneck_dim,
            text_dim=text_dim,
            attn_dim=attn_dim,
            num_heads=num_heads,
            dropout=dropout,
        )
        self.up = nn.Linear(bottleneck_dim, dim)
        self.gate = Gate(dim, scale=scale)
        self.film_projected = film_projected
        self.add_mixture = add_mixture
        init_linears(self, "image")
        if zero_init:
            zero_output(self.up)

    def forward(
        self,
        tokens: Tensor,
        text_tokens: Tensor,
        condition: Tensor | None = None,
        *,
        grid: Grid | None = None,
        num_extra_tokens: int | None = None,
        fill_grid: bool = False,
        key_padding_mask: Tensor | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Align image tokens with a text.

        Args:
            tokens: (B, N, C), the patches row by row, after any extra tokens.
            text_tokens: (B, L, T); the first is a start token, to which no patch attends.
            condition: c, (B, T), for instance the end token of each sentence; None for the start
                token, as released.
            grid: h and w; None for a square image.
            num_extra_tokens: N - h w, the tokens before the patches: 1 for a class token, 5 for
                DINOv2 with four registers. None for what the grid leaves over; without a grid, for
                a class token alone.
            fill_grid: whether a grid of more positions than there are patches is filled up with
                zeros, as in the released code.
            key_padding_mask: bool (B, L), true for padding; None lets padding take part, as
                released.
            intermediates: gets "query", the map u (B, r, h, w); "attn", the attention weights
                (B, heads, h w, L - 1) of the patches over the tokens after the start token; and
                "attn_out", what the patches read, (B, h w, r).

        Returns:
            (B, N, C).

        Raises:
            ArgumentError: unless N is the number of extra tokens plus h w; with `fill_grid` it may
                be less.
        """
        grid, num_extra_tokens = fit_grid(
            tokens.shape[1], grid, num_extra_tokens, fill_grid=fill_grid
        )
        hidden = self.down(tokens).relu()  # (B, N, r)
        extra, patches = hidden[:, :num_extra_tokens], hidden[:, num_extra_tokens:]
        feature_map = patches_to_map(patches, grid)  # (B, r, h, w)
        mixture = self.conv_norm(feature_map + self.conv(feature_map))
        if self.film is not None:
            condition = text_tokens[:, 0] if condition is None else condition
            if self.film_projected:
                condition = self.cross.text_proj(condition)
            mixture = self.film(mixture, condition)
        intermediates["query"] = mixture
        query = map_to_patches(mixture)
        attn_out = self.cross(
            query,
            text_tokens[:, 1:],
            key_padding_mask=None if key_padding_mask is None else key_padding_mask[:, 1:],
            intermediates=intermediates,
        )
        attn_out = intermediates["attn_out"] = finite_or_zero(attn_out)
        if self.add_mixture:
            attn_out = attn_out + query
        attn_out = torch.cat([extra, attn_out[:, : patches.shape[1]]], dim=1)
        aligned: Tensor = self.gate(self.up(hidden + attn_out))
        return aligned
