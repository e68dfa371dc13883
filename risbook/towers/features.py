"""What a tower hands on: the two small records that adapters, decoders and systems exchange."""

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
    """Features of a tokenised sentence.

    Args:
        words: one vector a token, (B, L, C); zero or meaningless where `padding` is true.
        sentence: one vector a sentence, (B, C).
        padding: true where a token only fills the row up, (B, L).
    """

    words: Tensor
    sentence: Tensor
    padding: Tensor
