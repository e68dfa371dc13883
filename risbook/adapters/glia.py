"""GLiA, the Global-Local Integrated Adapter: tokens of one tower mixed among themselves.

MiCA (Li et al., 2026); released code. The tokens x are reduced to r channels. A multi-scale
convolution mixes neighbours, and a light self-attention mixes all tokens. A linear layer brings the
tokens back to C channels, and a gate scales each channel:

$$h = \\text{ReLU}(W_{down}\\, x) \\qquad l = \\text{LN}(h + \\text{conv}(h)) \\qquad
m = \\text{LN}(l + A(l)) \\qquad \\text{GLiA}(x) = \\sigma(g)\\, W_{up}\\, m$$

So l holds the *local* and m the *global* context, and g is the gate. Both contexts stay within one
modality. GLiA is serial: a block adds GLiA(x) to its tokens between attention and MLP, see
`risbook.adapters.mica_placements`.
The image tower and the text tower have the same module with other sizes.

In the released code the convolutions run *along the sequence of tokens*, in the image tower as
well. There a kernel covers neighbours of one row of patches, the end of a row meets the beginning
of the next one, and the class token and the registers are neighbours of the first patch. The
figure of the paper writes 3x3, 5x5 and 7x7. With `spatial_dims=2` the kernels are those of the
figure, on the grid of patches; the extra tokens then skip them.
"""

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from risbook.adapters.gate import Gate
from risbook.adapters.lite_attention import NORM_EPS, LiteAttention
from risbook.adapters.mica_weights import init_linears, zero_output
from risbook.adapters.multi_scale_conv import MultiScaleConv
from risbook.adapters.patch_grid import fit_grid, map_to_patches, patches_to_map
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.keyword_aliases import keyword_aliases
from risbook.layers.convolutions import SpatialDims
from risbook.layers.numeric_guards import finite_or_zero, limit
from risbook.layers.pos_embed import Grid
from risbook.towers.stages import Modality


class GLiA(nn.Module):
    """Tokens (B, N, C) to what is added to them, (B, N, C).

    It works in any transformer.

    >>> import torch
    >>> GLiA(dim=64, bottleneck_dim=16)(torch.randn(2, 37, 64)).shape
    torch.Size([2, 37, 64])

    Args:
        dim: C, channels of the tokens.
        bottleneck_dim: r, channels between the two linear layers; the released sizes are 128 in the
            image tower and 64 in the text tower.
        num_heads: heads of the self-attention, which divide r.
        dropout: probability that an attention weight is dropped in training.
        modality: of the tower, whose released initial weights are taken.
        spatial_dims: 1 for kernels along the sequence of tokens, as released; 2 for kernels on the
            grid of patches.
        zero_init: whether W_up starts at zero, so that the tower first computes what it computed
            without the adapter; not as released.
        scale: a constant in place of the learned gate, see `Gate`.

    Raises:
        ArgumentError: if the heads do not divide `bottleneck_dim`.
    """

    @keyword_aliases({"embed_dim": "dim"})
    def __init__(
        self,
        *,
        dim: int,
        bottleneck_dim: int = 128,
        num_heads: int = 4,
        dropout: float = 0.1,
        modality: Modality = "image",
        spatial_dims: SpatialDims = 1,
        zero_init: bool = False,
        scale: float | None = None,
    ) -> None:
        super().__init__()
        self.down = nn.Linear(dim, bottleneck_dim)
        self.conv = MultiScaleConv(bottleneck_dim, spatial_dims=spatial_dims)
        self.conv_norm = nn.LayerNorm(bottleneck_dim, eps=NORM_EPS)
        self.attention = LiteAttention(bottleneck_dim, num_heads=num_heads, dropout=dropout)
        self.up = nn.Linear(bottleneck_dim, dim)
        self.gate = Gate(dim, scale=scale)
        self.spatial_dims = spatial_dims
        # in the text tower, the attention keeps torch's initial weights
        init_linears(self if modality == "image" else [self.down, self.up], modality)
        if zero_init:
            zero_output(self.up)

    def forward(
        self,
        tokens: Tensor,
        *,
        grid: Grid | None = None,
        num_extra_tokens: int | None = None,
        key_padding_mask: Tensor | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Mix the tokens.

        Args:
            tokens: (B, N, C).
            grid: h and w of the patches, for kernels on the grid; None for a square image. Kernels
                along the sequence need neither this nor the next.
            num_extra_tokens: N - h w, the tokens before the patches, which skip the kernels on the
                grid: 1 for a class token, 5 for DINOv2 with four registers. None for what the grid
                leaves over; without a grid, for a class token alone.
            key_padding_mask: bool (B, N), true for padding of a text, which is then no input of the
                convolutions and the attention; None lets it take part, as released.
            intermediates: gets "local", l (B, N, r); "attn", the attention weights (B, heads, N,
                N); and "global", m (B, N, r).

        Returns:
            (B, N, C).

        Raises:
            ArgumentError: for kernels on the grid, unless N is the number of extra tokens plus h w.
        """
        hidden = limit(self.down(tokens).relu())  # (B, N, r)
        if key_padding_mask is not None:
            hidden = hidden.masked_fill(key_padding_mask[:, :, None], 0.0)
        if self.spatial_dims == 1:
            neighbours = rearrange(self.conv(rearrange(hidden, "b n r -> b r n")), "b r n -> b n r")
        else:
            grid, num_extra_tokens = fit_grid(tokens.shape[1], grid, num_extra_tokens)
            feature_map = patches_to_map(hidden[:, num_extra_tokens:], grid)
            neighbours = map_to_patches(self.conv(feature_map))
            neighbours = F.pad(neighbours, (0, 0, num_extra_tokens, 0))  # nothing for extra tokens
        local = finite_or_zero(self.conv_norm(hidden + neighbours))
        intermediates["local"] = local
        mixed = intermediates["global"] = self.attention(
            local, key_padding_mask=key_padding_mask, intermediates=intermediates
        )
        adapted: Tensor = self.gate(finite_or_zero(self.up(mixed)))
        return adapted
