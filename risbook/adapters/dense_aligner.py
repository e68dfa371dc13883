"""The Dense Aligner (DA): image tokens of a frozen block attend to the text, at few channels.

DETRIS (Huang et al., 2025); released code. The image tokens y are reduced to r channels. D-MoC
mixes each patch with its neighbours. The result is the query of a cross-attention over the text
tokens t, the textual prior. A linear layer brings the tokens back to C channels:

$$h = \\text{ReLU}(W_{down}\\, y) \\qquad s = h + \\text{D-MoC}(h) \\qquad
\\text{DA}(y, t) = W_{up}\\, (h + \\text{Attention}(s, t, t))$$

The text tokens are those of the *finished* text tower: in DETRIS it runs before the image tower.

Three facts of the released code that the figure of the paper does not show:

- D-MoC reaches the output only as the query. At the initial weights the attention is nearly flat,
  so the gradients of D-MoC's convolutions are 1e-4 of those of the two outer layers, or less. With
  `add_mixture` D-MoC is also added to the sum, as it is in the Text Adapter.
- The extra tokens (class token, registers) are no part of the map: they skip D-MoC and attention.
  Instead of an attention output, h itself is added to them, which gives 2 h.
- Padding of the text takes part in the attention. A key padding mask excludes it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from risbook.adapters.cross_attention import CrossAttention
from risbook.adapters.dmoc import DMoC
from risbook.adapters.patch_grid import fit_grid, map_to_patches, patches_to_map
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.keyword_aliases import keyword_aliases
from risbook.layers.attention import check_num_heads
from risbook.layers.pos_embed import Grid


class DenseAligner(nn.Module):
    """Image tokens (B, N, C) and text tokens (B, L, T) to what is added to the image tokens.

    It works in any vision transformer. DETRIS adds 0.2 times its result to the output of the MLP,
    see `risbook.adapters.dense_placements`.

    >>> import torch
    >>> aligner = DenseAligner(dim=64, text_dim=48, bottleneck_dim=16, attn_dim=16, num_heads=2)
    >>> tokens = torch.randn(2, 1 + 6 * 6, 64)  # a class token and 6 x 6 patches
    >>> aligner(tokens, torch.randn(2, 17, 48)).shape
    torch.Size([2, 37, 64])

    Args:
        dim: C, channels of the image tokens.
        text_dim: T, channels of the text tokens.
        bottleneck_dim: r, channels between the two outer linear layers, a multiple of 16.
        attn_dim: channels of the cross-attention.
        num_heads: its heads, which divide `attn_dim`.
        dropout: probability that an attention weight is dropped in training.
        add_mixture: whether D-MoC(h) is added to the patches beside the attention; not as released.
        zero_init: whether W_up starts at zero, so that the tower first computes what it computed
            without the adapter; not as released.
        squeeze: see `DMoC`.
        kernel_sizes: see `DMoC`.

    Raises:
        ArgumentError: if `bottleneck_dim` is no multiple of 16, or the heads do not divide
            `attn_dim`.
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
        add_mixture: bool = False,
        zero_init: bool = False,
        squeeze: bool = True,
        kernel_sizes: Sequence[int] = (1, 3, 5),
    ) -> None:
        super().__init__()
        check_num_heads(num_heads, attn_dim, name="attn_dim")
        self.down = nn.Linear(dim, bottleneck_dim)
        self.dmoc = DMoC(bottleneck_dim, squeeze=squeeze, kernel_sizes=kernel_sizes)
        self.cross = CrossAttention(
            bottleneck_dim,
            text_dim=text_dim,
            attn_dim=attn_dim,
            num_heads=num_heads,
            dropout=dropout,
        )
        self.up = nn.Linear(bottleneck_dim, dim)
        self.add_mixture = add_mixture
        init_as_released(self)
        if zero_init:
            nn.init.zeros_(self.up.weight)

    def forward(
        self,
        tokens: Tensor,
        text_tokens: Tensor,
        *,
        grid: Grid | None = None,
        num_extra_tokens: int | None = None,
        key_padding_mask: Tensor | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Align image tokens with a text.

        Args:
            tokens: (B, N, C), the h w patches row by row, after any extra tokens.
            text_tokens: (B, L, T).
            grid: h and w; None for a square image.
            num_extra_tokens: N - h w, the tokens before the patches: 1 for a class token, 5 for
                DINOv2 with four registers. None for what the grid leaves over; without a grid, for
                a class token alone.
            key_padding_mask: bool (B, L), true for padding; None lets padding take part, as
                released.
            intermediates: gets "query", the map s (B, r, h, w); "attn", the attention weights
                (B, heads, h w, L); and "attn_out", the map (B, r, h, w) that is added to h.

        Returns:
            (B, N, C).

        Raises:
            ArgumentError: unless N is the number of extra tokens plus h w.
        """
        grid, num_extra_tokens = fit_grid(tokens.shape[1], grid, num_extra_tokens)
        hidden = self.down(tokens).relu()  # (B, N, r)
        extra, patches = hidden[:, :num_extra_tokens], hidden[:, num_extra_tokens:]
        feature_map = patches_to_map(patches, grid)
        mixture = self.dmoc(feature_map)  # (B, r, h, w)
        query = intermediates["query"] = feature_map + mixture
        attn_out = self.cross(
            map_to_patches(query),
            text_tokens,
            key_padding_mask=key_padding_mask,
            intermediates=intermediates,
        )
        intermediates["attn_out"] = patches_to_map(attn_out, grid)
        if self.add_mixture:
            attn_out = attn_out + map_to_patches(mixture)
        aligned: Tensor = self.up(hidden + torch.cat([extra, attn_out], dim=1))
        return aligned


def init_as_released(module: nn.Module) -> None:
    """Initial weights as they are in effect in the released code.

    DINOv2's constructor initialises every linear layer after the adapters have been made: normal
    of deviation 0.02, cut at 2, and biases 0. Convolutions have Kaiming's normal rule, fan-in, and
    biases 0. What is left, the attention's input projection and the batch norms, is torch's own.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear):  # the attention's output projection included
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
