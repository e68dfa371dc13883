"""The mask head: neck, decoder and Projector.

ETRIS (Xu et al., 2023), sections 3.3 and 3.4; released code. The released repositories of DETRIS
(Huang et al., 2025) and MiCA (Li et al., 2026) have the same three parts in ``model/layers.py``.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Literal

from torch import Tensor, nn

from risbook.config import Depth, Options, Probability, Size, configuration
from risbook.decoder.global_alignment import GlobalAlignment, GlobalAlignmentLayer
from risbook.decoder.hierarchical_alignment import HierarchicalAlignment
from risbook.decoder.last_map_neck import LastMapNeck
from risbook.decoder.projector import Projector
from risbook.errors import ArgumentError
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.layers.attention import check_num_heads
from risbook.registry import Registry
from risbook.towers.features import TextFeatures

#: necks by name; `Neck` says how each is built and called
NECKS: Registry[Callable[..., nn.Module]] = Registry(
    "neck", {"hierarchical": HierarchicalAlignment, "last": LastMapNeck}
)


def register_neck(name: str, neck: Callable[..., nn.Module]) -> None:
    """Add a neck, or replace one, under a name that configurations can give.

    Args:
        name: the name.
        neck: a class with the keywords and the `forward` of `risbook.decoder.neck.Neck`, or another
            function that makes such a module.
    """
    NECKS[name] = neck


@configuration
class MaskHeadConfig:
    """Sizes and choices of the mask head; the defaults are the released ones.

    Args:
        neck: a name of `NECKS`: "hierarchical" alignment of three maps, the "last" map alone, or
            one that `register_neck` added.
        neck_options: keyword arguments of the neck besides those that `Neck` lists.
        dim: channels of neck and decoder; with text_input="tokens" those of the text tokens.
        num_layers: layers of the decoder; with 0 only its last norm is left.
        num_heads: heads of the decoder; they divide `dim`.
        ffn_dim: channels inside the decoder's feed-forward layers.
        text_input: what the decoder attends to: the text "tokens" with their padding masked
            (released code), or the embedding of the "sentence" (paper), through a linear layer.
        projector_dim: input channels of the convolution whose kernel comes from the sentence.
        dropout: of the decoder, see `GlobalAlignmentLayer`.
    """

    neck: str = "hierarchical"
    neck_options: Options = field(default_factory=dict)
    dim: Size = 512
    num_layers: Depth = 3
    num_heads: Size = 8
    ffn_dim: Size = 512
    text_input: Literal["tokens", "sentence"] = "tokens"
    projector_dim: Size = 256
    dropout: Probability = 0.1

    def __post_init__(self) -> None:
        NECKS.lookup(self.neck)
        check_num_heads(self.num_heads, self.dim)


#: that of the small presets. A run of an hour underfits, so it has no dropout.
MINI_HEAD = MaskHeadConfig(dim=128, num_heads=2, ffn_dim=128, projector_dim=32, dropout=0.0)


class MaskHead(nn.Module):
    """From the maps of three stages and a text to mask logits.

    Args:
        config: sizes and choices.
        map_dims: channels of the three maps, fine to coarse.
        factors: side of the output of the neck divided by the side of each map.
        text_dim: channels of the text tokens.
        sentence_dim: P, channels of the sentence embedding.

    Raises:
        ArgumentError: if the text tokens do not have the decoder's channels, or the neck has no
            such option.
    """

    def __init__(
        self,
        config: MaskHeadConfig,
        *,
        map_dims: Sequence[int],
        factors: Sequence[float],
        text_dim: int,
        sentence_dim: int,
    ) -> None:
        super().__init__()
        if config.text_input == "tokens" and text_dim != config.dim:
            raise ArgumentError(
                f"head.dim is {config.dim}; the decoder attends to the text tower's tokens as they "
                f"are, so it must be {text_dim}"
            )
        neck_class = NECKS[config.neck]
        sizes = {
            "map_dims": map_dims,
            "factors": factors,
            "text_dim": text_dim,
            "sentence_dim": sentence_dim,
            "dim": config.dim,
        }
        if fixed := sorted(sizes.keys() & config.neck_options.keys()):
            raise ArgumentError(
                f"head.neck_options has {fixed[0]}, which the mask head gives to every neck itself"
            )
        signature = inspect.signature(neck_class)
        takes_all = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
        wanted = {k: v for k, v in sizes.items() if takes_all or k in signature.parameters}
        arguments = wanted | config.neck_options
        try:
            signature.bind(**arguments)
        except TypeError as error:
            raise ArgumentError(f"neck {config.neck!r}: {error}; see head.neck_options") from None
        self.neck = neck_class(**arguments)
        self.sentence_proj: nn.Linear | None = None
        if config.text_input == "sentence":
            self.sentence_proj = nn.Linear(sentence_dim, config.dim)
        self.decoder = GlobalAlignment(
            dim=config.dim,
            num_layers=config.num_layers,
            num_heads=config.num_heads,
            ffn_dim=config.ffn_dim,
            dropout=config.dropout,
        )
        self.projector = Projector(
            sentence_dim=sentence_dim, dim=config.projector_dim, in_dim=config.dim
        )

    def forward(
        self,
        maps: Sequence[Tensor],
        text_features: TextFeatures,
        *,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Mask logits.

        Args:
            maps: three maps (B, C_i, h_i, w_i), fine to coarse.
            text_features: text tokens (B, L, T) and sentence embedding (B, P).
            intermediates: gets "neck" and "decoder", maps (B, C, h, w), and below these names and
                "projector" what the three parts record.

        Returns:
            (B, 1, 4 h, 4 w), with h and w of the middle map.
        """
        fused = self.neck(maps, text_features, intermediates=intermediates.sub("neck"))
        intermediates["neck"] = fused
        decoder_intermediates = intermediates.sub("decoder")
        if self.sentence_proj is not None:
            sentence = self.sentence_proj(text_features.sentence_embedding)  # (B, C)
            sentence_token = sentence.unsqueeze(1)  # (B, 1, C)
            aligned = self.decoder(fused, sentence_token, intermediates=decoder_intermediates)
        else:
            aligned = self.decoder(
                fused,
                text_features.text_tokens,
                text_features.key_padding_mask,
                intermediates=decoder_intermediates,
            )
        intermediates["decoder"] = aligned
        logits: Tensor = self.projector(
            aligned, text_features.sentence_embedding, intermediates=intermediates.sub("projector")
        )
        return logits

    def dead_parameters(self) -> int:
        """Tuned parameters without effect, besides those of the neck's gates."""
        if self.sentence_proj is None:
            return 0
        layers = (layer for layer in self.modules() if isinstance(layer, GlobalAlignmentLayer))
        return sum(layer.dead_parameters_with_one_key() for layer in layers)
