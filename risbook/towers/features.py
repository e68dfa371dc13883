"""The outputs of towers: two records that adapters, decoders and systems exchange."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """Feature maps of an image tower.

    Args:
        maps: feature maps from fine to coarse, each (B, C_i, H / s_i, W / s_i).
        strides: the stride s_i of each map, in input pixels.
    """

    maps: tuple[Tensor, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TextFeatures:
    """Features of tokenised sentences.

    Args:
        text_tokens: one vector per token, (B, L, C); meaningless where a token is padding.
        sentence_embedding: one vector per sentence, (B, P).
        key_padding_mask: bool (B, L), true for padding, as torch's attention takes it.
    """

    text_tokens: Tensor
    sentence_embedding: Tensor
    key_padding_mask: Tensor
