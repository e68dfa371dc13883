"""What a tower returns: two records that adapters, decoders and systems exchange."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from risbook.attribute_hints import missing_attribute


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """Feature maps of an image tower.

    Args:
        maps: feature maps from fine to coarse, each (B, C_i, H / s_i, W / s_i).
        strides: the stride s_i of each map, in input pixels.
    """

    maps: tuple[Tensor, ...]
    strides: tuple[int, ...]

    def __getattr__(self, name: str) -> Any:
        hints = dict.fromkeys(("shape", "ndim", "mean", "detach"), f"features.maps[-1].{name}")
        hints |= dict.fromkeys(("last_hidden_state", "features"), "features.maps[-1]")
        raise missing_attribute("ImageFeatures", name, self.__slots__, hints, prefix="features")


@dataclass(frozen=True, slots=True)
class TextFeatures:
    """Features of tokenised sentences.

    Args:
        text_tokens: one vector per token, (B, L, C); meaningless where a token is padding.
        sentence: one vector per sentence, (B, P).
        key_padding_mask: bool (B, L), true for padding, as torch's attention takes it.
    """

    text_tokens: Tensor
    sentence: Tensor
    key_padding_mask: Tensor

    def __getattr__(self, name: str) -> Any:
        hints = dict.fromkeys(("shape", "ndim", "mean", "detach"), f"features.text_tokens.{name}")
        hints |= {"last_hidden_state": "features.text_tokens", "pooler_output": "features.sentence"}
        raise missing_attribute("TextFeatures", name, self.__slots__, hints, prefix="features")
