"""Global alignment, the decoder of ETRIS: every position looks at every position and at the words.

ETRIS (Xu et al., 2023), section 3.3, after CRIS (Wang et al., 2022); released code. A transformer
decoder whose queries are the map's positions. The paper speaks of the sentence vector here; the
released code attends to the words, and here alone padding is left out.
"""

from einops import rearrange
from torch import Tensor, nn

from risbook.decoder.sine_pos_embed import sine_pos_embed_1d, sine_pos_embed_2d
from risbook.errors import RisbookError
from risbook.towers.attention import MultiHeadAttention


class GlobalAlignmentLayer(nn.Module):
    """One layer: self-attention, cross-attention, feed-forward, norms before and after each.

    Args:
        width: width C of positions and words.
        heads: attention heads.
        hidden: width of the feed-forward layer.
        dropout: after each part and in its middle.
    """

    def __init__(self, width: int, heads: int, *, hidden: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = MultiHeadAttention(width, heads, dropout=dropout)
        self.multihead_attn = MultiHeadAttention(width, heads, dropout=dropout)
        self.ffn = nn.Sequential(
            nn.Linear(width, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.LayerNorm(hidden),
            nn.Linear(hidden, width),
        )
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.self_attn_norm = nn.LayerNorm(width)
        self.cross_attn_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    @property
    def dead_before_one_word(self) -> int:
        """Parameters without effect where there is a single word to look at.

        A softmax over one key is 1 whatever the position asks: query's and key's weights and
        biases, and the norm in front of the query.
        """
        width = int(self.multihead_attn.embed_dim)
        return 2 * width * (width + 1) + 2 * width

    def forward(
        self,
        positions: Tensor,
        words: Tensor,
        *,
        places: Tensor,
        word_places: Tensor,
        padding: Tensor | None = None,
        record: dict[str, Tensor] | None = None,
    ) -> Tensor:
        """Look once.

        Args:
            positions: (B, N, C).
            words: (B, L, C).
            places: table of the map's places (1, N, C).
            word_places: table of the sentence's places (1, L, C).
            padding: bool (B, L), true at tokens that nobody looks at.
            record: gets "attention" on the words, (B, heads, N, L).

        Returns:
            (B, N, C).
        """
        normed = self.norm1(positions)
        asked = normed + places
        seen = self.self_attn(asked, asked, normed)
        positions = positions + self.dropout(self.self_attn_norm(seen))
        asked = self.norm2(positions) + places
        seen = self.multihead_attn(
            asked, words + word_places, words, padding=padding, record=record
        )
        positions = positions + self.dropout(self.cross_attn_norm(seen))
        output: Tensor = positions + self.dropout(self.ffn(self.norm3(positions)))
        return output


class GlobalAlignment(nn.Module):
    """The decoder.

    Args:
        width: width C of the map and of the words, divisible by 4 and by the heads.
        layers: number of layers.
        heads: attention heads.
        hidden: width of the feed-forward layers.
        dropout: everywhere.

    Raises:
        RisbookError: if the width cannot be.
    """

    def __init__(
        self,
        *,
        width: int = 512,
        layers: int = 3,
        heads: int = 8,
        hidden: int = 512,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if width % 4 or width % heads:
            raise RisbookError(
                f"decoder width {width}: it must be divisible by 4 and by the {heads} heads"
            )
        self.layers = nn.ModuleList(
            GlobalAlignmentLayer(width, heads, hidden=hidden, dropout=dropout)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        features: Tensor,
        words: Tensor,
        padding: Tensor | None = None,
        *,
        record: dict[str, Tensor] | None = None,
    ) -> Tensor:
        """Let the map look at the words.

        Args:
            features: map (B, C, H, W).
            words: (B, L, C).
            padding: bool (B, L), true at tokens that nobody looks at.
            record: gets "layer 1" and so on, (B, C, H, W), and "attention 1" and so on,
                (B, heads, H W, L).

        Returns:
            Map (B, C, H, W).
        """
        _, channels, height, width = features.shape
        positions = rearrange(features, "b c h w -> b (h w) c")
        places = sine_pos_embed_2d(height, width, channels, features.device).to(features.dtype)
        word_places = sine_pos_embed_1d(words.shape[1], channels, words.device).to(words.dtype)
        for number, layer in enumerate(self.layers, start=1):
            inner: dict[str, Tensor] | None = None if record is None else {}
            positions = layer(
                positions,
                words,
                places=places,
                word_places=word_places,
                padding=padding,
                record=inner,
            )
            if record is not None and inner is not None:
                record[f"layer {number}"] = rearrange(positions, "b (h w) c -> b c h w", h=height)
                record[f"attention {number}"] = inner["attention"]
        normed: Tensor = self.norm(positions)
        return rearrange(normed, "b (h w) c -> b c h w", h=height)
