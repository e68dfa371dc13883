"""The Text Adapter (TA): convolutions along the sentence inside a frozen text tower.

DETRIS (Huang et al., 2025); released code. The text tokens x are reduced to r channels, and D-MoC
along the sentence mixes windows of 1, 3 and 5 tokens:

$$h = \\text{ReLU}(W_{down}\\, x) \\qquad \\text{TA}(x) = W_{up}\\, (h + \\text{D-MoC}(h))$$

It reads no image. The released code treats the first token as a class token: the token skips
D-MoC, and h itself is added instead, which gives 2 h. But it is the start token; CLIP's sentence
embedding lies at the end token, which is mixed with its neighbours. Padding is convolved like
words, and batch norm counts it, so the result depends on the length L to which sentences are
padded.
"""

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor, nn

from risbook.adapters.dmoc import DMoC
from risbook.keyword_aliases import keyword_aliases


class TextAdapter(nn.Module):
    """Text tokens (B, L, T) to what is added to them, (B, L, T).

    It works in any text transformer. DETRIS adds 0.2 times its result beside the MLP, see
    `risbook.adapters.dense_placements`. Its initial weights are torch's, as released.

    >>> import torch
    >>> TextAdapter(dim=64, bottleneck_dim=16)(torch.randn(2, 17, 64)).shape
    torch.Size([2, 17, 64])

    Args:
        dim: T, channels of the text tokens.
        bottleneck_dim: r, channels between the two linear layers, a multiple of 16.
        zero_init: whether W_up starts at zero, so that the tower first computes what it computed
            without the adapter; not as released.
        squeeze: see `DMoC`.
        kernel_sizes: see `DMoC`.

    Raises:
        ArgumentError: if `bottleneck_dim` is no multiple of 16.
    """

    @keyword_aliases({"embed_dim": "dim"})
    def __init__(
        self,
        *,
        dim: int,
        bottleneck_dim: int = 64,
        zero_init: bool = False,
        squeeze: bool = True,
        kernel_sizes: Sequence[int] = (1, 3, 5),
    ) -> None:
        super().__init__()
        self.down = nn.Linear(dim, bottleneck_dim)
        self.dmoc = DMoC(bottleneck_dim, spatial_dims=1, squeeze=squeeze, kernel_sizes=kernel_sizes)
        self.up = nn.Linear(bottleneck_dim, dim)
        if zero_init:
            nn.init.zeros_(self.up.weight)
            nn.init.zeros_(self.up.bias)

    def forward(self, tokens: Tensor, *, num_extra_tokens: int = 1) -> Tensor:
        """Mix the tokens of a sentence.

        Args:
            tokens: (B, L, T).
            num_extra_tokens: tokens at the beginning that skip D-MoC: the start token and, after
                it, learned prompts.

        Returns:
            (B, L, T).
        """
        hidden = self.down(tokens).relu()  # (B, L, r)
        extra, words = hidden[:, :num_extra_tokens], hidden[:, num_extra_tokens:]
        mixture = self.dmoc(rearrange(words, "b l r -> b r l"))
        mixed = torch.cat([extra, rearrange(mixture, "b r l -> b l r")], dim=1)
        adapted: Tensor = self.up(hidden + mixed)
        return adapted
