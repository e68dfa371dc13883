"""ETRIS: two frozen CLIP towers, a bridge between them at three stages, and a mask at the end.

Bridging vision and language encoders: parameter-efficient tuning for referring image segmentation
(Xu et al., 2023), and its released code. Where the two differ, the released code is the default
and the paper's way an option, if it is a cheap one:

- the next Bridger gets what went *into* this one's interactors (`link`);
- padding takes part in the Bridgers (`mask_padding`);
- a transformer's interactors are one product (`interactor`);
- the decoder reads the words, not the sentence (`decoder_reads`);
- a transformer's stages are thirds; the last three of four groups end after 6, 9 and 12 blocks
  (`stage_ends`);
- position tables learn, and a ResNet's batch norms follow the batches (`position_tables`,
  `fixed_statistics`).

Left out are the paper's bias of D numbers in the Projector, and a pool without the branch
`connect`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from risbook.adapters.bridger import BridgerKind, Bridgers, InteractorKind, Link, Pair
from risbook.adapters.zoom_layer import ZoomKind
from risbook.decoder.global_alignment import GlobalAlignment, GlobalAlignmentLayer
from risbook.decoder.hierarchical_alignment import HierarchicalAlignment, bring_to_size
from risbook.decoder.projector import Projector
from risbook.errors import RisbookError
from risbook.systems.system import Tokenizer
from risbook.systems.tower_system import ImageTower, TowerSystem, image_tower, text_tower
from risbook.towers.build import tokenizer_of
from risbook.towers.clip_resnet import CLIPResNet
from risbook.towers.text_transformer import TextTransformer

#: Bridgers stand after each of so many equal parts of the towers
STAGES = 3
#: what brings the maps of the stages to the size of the middle one
RESNET_SCALES = (1 / 2, 1.0, 2.0)
TRANSFORMER_SCALES = (1.0, 1.0, 1.0)

_SIZES = (
    "image_size",
    "word_length",
    "bridger_width",
    "bridger_heads",
    "bridger_hidden",
    "decoder_width",
    "decoder_heads",
    "decoder_hidden",
    "projector_width",
)
_SWITCHES = ("mask_padding", "position_tables", "fixed_statistics")
_CHOICES = {"neck": ("hierarchical", "last"), "decoder_reads": ("words", "sentence")}


@dataclass(frozen=True)
class ETRISConfig:
    """Sizes and choices of ETRIS; the defaults are the released ones for RN50.

    Args:
        image_tower: name of a CLIP image tower.
        text_tower: name of its text tower.
        weights: where both towers' weights are from, see `risbook.towers.build.build_tower`.
        image_size: side S of the letterboxed input, pixels.
        word_length: ids a sentence; 17 for RefCOCO and RefCOCO+, 22 for RefCOCOg.
        stages: after which of the three stages a Bridger stands.
        stage_ends: the last block of each stage in towers that are transformers, counted from 1;
            empty for three equal stages, (6, 9, 12) for those of the paper. Of two transformers
            both; a ResNet has stages of its own.
        bridger_width: common width D of picture and words.
        bridger_heads: heads of the interactors; 4 with a ResNet, 8 with a transformer.
        bridger_hidden: feed-forward width of full interactors.
        interactor: "full" as the paper describes it, "product", or "auto": full with a ResNet, a
            product with a transformer.
        zoom: kind of the Zoom Layers.
        link: what a Bridger hands to the next one.
        mask_padding: whether Bridgers look past padding.
        neck: "hierarchical" alignment of three maps, or the "last" map alone.
        decoder_width: width of neck and decoder, that of the text tower.
        decoder_layers: layers of global alignment; with 0 only the norm behind them is left.
        decoder_reads: the "words" behind a mask for padding, or the one vector of the "sentence"
            (paper), brought to the decoder's width by a linear layer.
        decoder_heads: heads of neck and decoder.
        decoder_hidden: feed-forward width of the decoder.
        projector_width: channels that the sentence's convolution sees.
        dropout: of full interactors and of the decoder.
        position_tables: whether the towers' position tables learn.
        fixed_statistics: whether a ResNet's batch norms stay as they are in training.
        image_tuning: what else learns inside the image tower, for comparisons: a name of
            `risbook.adapters.peft_methods.METHODS`.
        text_tuning: the same for the text tower.
        tuning_options: options of both methods, for instance ``{"hidden": 32}``.
    """

    image_tower: str = "clip-rn50-image"
    text_tower: str = "clip-rn50-text"
    weights: str = "auto"
    image_size: int = 416
    word_length: int = 17
    stages: tuple[int, ...] = (1, 2, 3)
    stage_ends: tuple[int, ...] = ()
    bridger_width: int = 64
    bridger_heads: int = 4
    bridger_hidden: int = 128
    interactor: InteractorKind = "auto"
    zoom: ZoomKind = "deconv"
    link: Link = "inputs"
    mask_padding: bool = False
    neck: Literal["hierarchical", "last"] = "hierarchical"
    decoder_width: int = 512
    decoder_layers: int = 3
    decoder_reads: Literal["words", "sentence"] = "words"
    decoder_heads: int = 8
    decoder_hidden: int = 512
    projector_width: int = 256
    dropout: float = 0.1
    position_tables: bool = True
    fixed_statistics: bool = False
    image_tuning: str = "frozen"
    text_tuning: str = "frozen"
    tuning_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in (*_SIZES, "decoder_layers"):
            value, least = getattr(self, name), 1 if name in _SIZES else 0
            if not _is_whole(value) or value < least:
                raise RisbookError(
                    f"{name} is {value!r}; it must be a whole number from {least} on"
                )
        for name in _SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise RisbookError(f"{name} is {getattr(self, name)!r}; it must be true or false")
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                told = " or ".join(repr(one) for one in known)
                raise RisbookError(f"{name} {getattr(self, name)!r}: it is {told}")
        if not isinstance(self.stages, tuple) or not all(_is_whole(one) for one in self.stages):
            raise RisbookError(
                f"stages is {self.stages!r}; it must be a list of stages, for instance [1, 2, 3], "
                "or [] for no Bridger"
            )
        ends = self.stage_ends
        if not isinstance(ends, tuple) or not all(_is_whole(one) for one in ends):
            raise RisbookError(f"stage_ends is {ends!r}; it must be a list such as [6, 9, 12]")
        if not isinstance(self.tuning_options, Mapping):
            raise RisbookError(
                f"tuning_options is {self.tuning_options!r}; it must be options by name, for "
                'instance {"hidden": 32}'
            )
        if isinstance(self.dropout, bool) or not isinstance(self.dropout, int | float):
            raise RisbookError(f"dropout is {self.dropout!r}; it must be a number")
        if not 0 <= self.dropout < 1:
            raise RisbookError(f"dropout is {self.dropout}; it must be from 0 to below 1")
        if self.decoder_width % self.decoder_heads:
            raise RisbookError(
                f"decoder_heads is {self.decoder_heads}, which does not divide decoder_width, "
                f"{self.decoder_width}"
            )


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


class ETRIS(TowerSystem):
    """The whole system.

    Args:
        config: sizes and choices.
        name: the preset's name.
        towers: image and text tower to take as they are, in place of those that the configuration
            names; its `weights`, `fixed_statistics` and names then say nothing.
        tokenizer: to take in place of the text tower's.

    Raises:
        RisbookError: if widths do not fit.
    """

    config: ETRISConfig

    def __init__(
        self,
        *,
        config: ETRISConfig,
        name: str = "etris-rn50",
        towers: tuple[ImageTower, TextTransformer] | None = None,
        tokenizer: Tokenizer | None = None,
    ) -> None:
        image, text = towers or (
            image_tower(
                config.image_tower,
                weights=config.weights,
                image_size=config.image_size,
                fixed_statistics=config.fixed_statistics,
            ),
            text_tower(config.text_tower, weights=config.weights),
        )
        super().__init__(
            name=name,
            image_size=config.image_size,
            tokenizer=tokenizer
            or tokenizer_of(config.text_tower, length=config.word_length, weights=config.weights),
            image_tower=image,
            text_tower=text,
            position_tables=config.position_tables,
            image_tuning=config.image_tuning,
            text_tuning=config.text_tuning,
            tuning_options=config.tuning_options,
        )
        self.config = config
        # CLIP's temperature: unused here, kept as the released code keeps it
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)), requires_grad=False)
        if config.mask_padding and text.prompt_count:
            raise RisbookError(
                "mask_padding and prompts among the words: the mask does not know the prompts; "
                "leave one of them out"
            )
        if text.width != config.decoder_width:
            raise RisbookError(
                f"decoder_width is {config.decoder_width}; the decoder looks at the text tower's "
                f"words as they are, so it has to be {text.width}"
            )
        _check_ends(config.stage_ends, image, text)
        kind: BridgerKind
        stage_channels: tuple[int, ...]
        neck_channels: tuple[int, ...]
        strides: tuple[int, ...]
        if isinstance(image, CLIPResNet):
            kind, scales, strides = "resnet", RESNET_SCALES, image.strides
            stage_channels, neck_channels = image.channels, (*image.channels[:2], image.output)
        else:
            kind, scales, strides = "vit", TRANSFORMER_SCALES, STAGES * (image.patch,)
            stage_channels, neck_channels = STAGES * (image.width,), image.channels
        sentence_width = text.projection.shape[1]
        self.bridgers = Bridgers(
            channels=stage_channels,
            factors=scales,
            text_width=text.width,
            stages=config.stages,
            width=config.bridger_width,
            heads=config.bridger_heads,
            kind=kind,
            interactor=config.interactor,
            zoom=config.zoom,
            sides=[config.image_size // stride for stride in strides],
            hidden=config.bridger_hidden,
            dropout=config.dropout,
            link=config.link,
        )
        self.neck: nn.Module
        if config.neck == "hierarchical":
            self.neck = HierarchicalAlignment(
                channels=neck_channels,
                scales=scales,
                sentence_width=sentence_width,
                width=config.decoder_width,
                heads=config.decoder_heads,
            )
        else:
            self.neck = LastMap(neck_channels[-1], config.decoder_width, scale=scales[-1])
        if config.decoder_reads == "sentence":
            self.sentence_reader = nn.Linear(sentence_width, config.decoder_width)
        self.decoder = GlobalAlignment(
            width=config.decoder_width,
            layers=config.decoder_layers,
            heads=config.decoder_heads,
            hidden=config.decoder_hidden,
            dropout=config.dropout,
        )
        self.projector = Projector(
            sentence_width=sentence_width,
            width=config.projector_width,
            inputs=config.decoder_width,
        )

    def forward(
        self, image: Tensor, tokens: Tensor, *, record: dict[str, Tensor] | None = None
    ) -> Tensor:
        """Segment what the sentences mean.

        Args:
            image: letterboxed and normalised (B, 3, S, S); other sizes that the tower tiles work
                as well.
            tokens: word ids (B, L).
            record: gets the intermediates of Bridgers, neck, decoder and projector by name; with k
                a stage or layer, "zoomed k", "met k", "image attention k" and "text attention k"
                (see `Bridger`), "stage 3" to "stage 5" (the neck's gated maps, (B, C, h, w),
                counted as ResNets count theirs), "neck", "layer k", "attention k" and "decoder"
                (see `GlobalAlignment`), "pixels" (see `Projector`).

        Returns:
            Logits (B, 1, S / 4, S / 4); with a transformer (B, 1, 4 S / patch, 4 S / patch).
        """
        maps, words = self.bridge(image, tokens, record=record)
        text = self.text_tower.finish(words, tokens)
        joined = self.neck(maps, text.sentence, record=record)
        if self.config.decoder_reads == "sentence":
            asked = self.sentence_reader(text.sentence)[:, None]
            looked = self.decoder(joined, asked, record=record)
        else:
            looked = self.decoder(joined, text.words, text.padding, record=record)
        if record is not None:
            record["neck"], record["decoder"] = joined, looked
        logits: Tensor = self.projector(looked, text.sentence, record=record)
        return logits

    def dead_parameters(self) -> int:
        """As in every system of two towers; and more, if the decoder reads one vector only."""
        dead = super().dead_parameters()
        if self.config.decoder_reads == "sentence":
            layers = (one for one in self.modules() if isinstance(one, GlobalAlignmentLayer))
            dead += sum(one.dead_before_one_word for one in layers)
        return dead

    def bridge(
        self, image: Tensor, tokens: Tensor, *, record: dict[str, Tensor] | None = None
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Run both towers side by side, with the Bridgers between them.

        Args:
            image: (B, 3, S, S).
            tokens: word ids (B, L).
            record: gets the Bridgers' intermediates.

        Returns:
            Three maps for the neck, and the words (B, L, T) before the text tower's last norm.
        """
        padding = tokens == 0 if self.config.mask_padding else None
        words = self.text_tower.embed(tokens)
        stages = (
            _ResNetStages(self.image_tower, image)
            if isinstance(self.image_tower, CLIPResNet)
            else _TransformerStages(self.image_tower, image, self.config.stage_ends)
        )
        blocks = _blocks(len(self.text_tower.blocks), self.config.stage_ends)
        maps: list[Tensor] = []
        pair: Pair | None = None
        for stage in range(1, STAGES + 1):
            seen = stages.run(stage)
            words = self.text_tower.run(words, *blocks[stage - 1])
            seen, words, pair = self.bridgers(
                stage, seen, words, pair, padding=padding, record=record
            )
            stages.put(seen)
            maps.append(seen)
        maps[-1] = stages.finish()
        return tuple(maps), words


def _blocks(depth: int, ends: Sequence[int]) -> list[tuple[int, int]]:
    """Where each stage begins and ends in a tower of so many blocks."""
    ends = ends or [depth * stage // STAGES for stage in range(1, STAGES + 1)]
    return list(pairwise((0, *ends)))


def _check_ends(ends: Sequence[int], *towers: ImageTower | TextTransformer) -> None:
    for tower in towers:
        if not ends or isinstance(tower, CLIPResNet):
            continue
        depth = len(tower.blocks)
        rising = all(before < after for before, after in pairwise((0, *ends)))
        if len(ends) != STAGES or not rising or ends[-1] != depth:
            raise RisbookError(
                f"stage_ends is {list(ends)}; it must be {STAGES} rising numbers of blocks, of "
                f"which the last is the tower's last, {depth}"
            )


class LastMap(nn.Module):
    """In place of the neck: the last map alone, brought to the decoder's width and size.

    Args:
        inputs: channels of the last map.
        width: channels of the outgoing map.
        scale: how many times larger it has to be.
    """

    def __init__(self, inputs: int, width: int, *, scale: float) -> None:
        super().__init__()
        self.bring = bring_to_size(inputs, width, scale)

    def forward(
        self,
        maps: tuple[Tensor, ...],
        sentence: Tensor,
        *,
        record: dict[str, Tensor] | None = None,
    ) -> Tensor:
        """(B, C, h, w) of the last map; the sentence has no say here."""
        brought: Tensor = self.bring(maps[-1])
        return brought


class _ResNetStages:
    """A CLIP ResNet's layers 2, 3 and 4 as the three stages."""

    def __init__(self, tower: CLIPResNet, image: Tensor) -> None:
        self.tower = tower
        self.features = tower.run(tower.stem(image), 1)

    def run(self, stage: int) -> Tensor:
        return self.tower.run(self.features, stage + 1)

    def put(self, features: Tensor) -> None:
        self.features = features

    def finish(self) -> Tensor:
        return self.tower.pool(self.features)


class _TransformerStages:
    """A CLIP transformer's blocks in three groups; the class token never meets a Bridger."""

    def __init__(self, tower: ImageTower, image: Tensor, ends: Sequence[int]) -> None:
        assert not isinstance(tower, CLIPResNet)
        self.tower = tower
        self.blocks = _blocks(len(tower.blocks), ends)
        self.tokens, self.grid = tower.embed(image)

    def run(self, stage: int) -> Tensor:
        self.tokens = self.tower.run(self.tokens, *self.blocks[stage - 1])
        return self.tower.to_map(self.tokens, self.grid)

    def put(self, features: Tensor) -> None:
        self.tokens = self.tower.with_map(self.tokens, features)

    def finish(self) -> Tensor:
        return self.tower.to_map(self.tower.finish(self.tokens), self.grid)


_MINI = ETRISConfig(
    image_tower="clip-mini-image",
    text_tower="clip-mini-text",
    image_size=96,
    word_length=24,
    bridger_width=32,
    bridger_heads=4,
    decoder_width=128,
    decoder_heads=2,
    decoder_hidden=128,
    projector_width=32,
    # a run of an hour underfits: it has no use for dropout
    dropout=0.0,
)

CONFIGS: dict[str, ETRISConfig] = {
    "etris-rn50": ETRISConfig(),
    "etris-rn101": ETRISConfig(image_tower="clip-rn101-image", text_tower="clip-rn101-text"),
    "etris-vitb16": ETRISConfig(
        image_tower="clip-vitb16-image", text_tower="clip-vitb16-text", bridger_heads=8
    ),
    "etris-mini": _MINI,
    "etris-mini-rn": replace(_MINI, image_tower="clip-mini-rn-image", image_size=192),
}
