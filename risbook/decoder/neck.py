"""The interface of necks: three maps and a text become the one map that the decoder reads."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.towers.features import TextFeatures


class Neck(nn.Module, ABC):
    """Base class of necks; `risbook.decoder.register_neck` adds one under a name.

    `MaskHead` builds a neck with those of five keywords that its constructor takes. Other keywords
    are its options, which `MaskHeadConfig.neck_options` gives. The five are:

    - map_dims: channels C_i of the maps, fine to coarse;
    - factors: side of the output divided by the side of each map;
    - text_dim: T, channels of the text tokens;
    - sentence_dim: P, channels of the sentence embedding;
    - dim: C, channels of the output.
    """

    @abstractmethod
    def forward(
        self,
        maps: Sequence[Tensor],
        text_features: TextFeatures,
        *,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Maps (B, C_i, h_i, w_i) and a text to a map (B, C, h, w).

        Args:
            maps: fine to coarse.
            text_features: text tokens (B, L, T) and sentence embedding (B, P).
            intermediates: gets what the neck records.
        """
