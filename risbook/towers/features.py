"""The outputs of towers: two records that adapters, decoders and systems exchange.

The docstrings of towers, adapters, layers and decoders write sizes with these letters:

| letter | meaning |
|---|---|
| B | samples of a batch |
| S | side of a letterboxed image, pixels |
| H, W | height and width of an image, pixels |
| h, w | rows and columns of a map or of a grid of patches |
| L | tokens of a sentence, padding included |
| N, M | tokens of any kind, for instance h w positions |
| E, K | extra tokens before the patches or words; prompts among them |
| C | channels of image features; in a module of either modality, of its tokens |
| T | channels of text tokens |
| D | the common dimension of image and text in the Bridgers |
| P | channels of the joint space in which CLIP compares images and sentences |
"""

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
        text_tokens: one vector per token, (B, L, T); meaningless where a token is padding.
        sentence_embedding: one vector per sentence, (B, P).
        key_padding_mask: bool (B, L), true for padding, as torch's attention takes it.
    """

    text_tokens: Tensor
    sentence_embedding: Tensor
    key_padding_mask: Tensor

    def __getitem__(self, rows: Tensor) -> "TextFeatures":
        """The features of the sentences of these rows, int64 (B,)."""
        return TextFeatures(
            text_tokens=self.text_tokens[rows],
            sentence_embedding=self.sentence_embedding[rows],
            key_padding_mask=self.key_padding_mask[rows],
        )
