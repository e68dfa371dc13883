"""The interfaces of towers that run stage by stage, so that adapters can stand between stages.

A system runs its towers through these methods: the stages of a transformer are groups of blocks,
those of a CLIP ResNet are layers. ETRIS reads `architecture` to choose its Bridgers.

Stages are counted from 1 in the whole package, as in the names ``bridgers.stages.1`` of a
checkpoint; blocks are counted from 0, as timm counts them. Other sources count otherwise:

| stage | ResNet layer (OpenAI) | ETRIS, released Bridgers | CRIS, ETRIS, names of the neck |
|---|---|---|---|
| 1 | layer2, stride 8 | 0 | f3_proj, fusion3 |
| 2 | layer3, stride 16 | 1 | f4_proj, fusion4 |
| 3 | layer4, stride 32 | 2 | f5_proj, fusion5 |
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Self, get_args

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.layers.pos_embed import Grid
from risbook.towers.features import ImageFeatures, TextFeatures

Architecture = Literal["resnet", "vit"]
Modality = Literal["image", "text"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)

#: ETRIS and DETRIS (Huang et al., 2025) take three maps
DEFAULT_NUM_STAGES = 3


class StageContext(NamedTuple):
    """The other modality, as adapters inside a tower can read it.

    A system that runs the towers side by side makes one before each stage and gives it to both;
    every site of the stage gets it. So adapters of the image tower read the text, and those of the
    text tower read the image. A system whose text tower is finished first makes one of its result,
    ``StageContext(text_features.text_tokens, text_features.key_padding_mask)``.

    Args:
        text_tokens: (B, L, T): those that enter the stage of the text tower, before its last norm,
            with K prompts (B, L + K, T); or the finished ones of `TextFeatures`.
        key_padding_mask: bool (B, L) or (B, L + K), true where a token is padding; None if none is.
        feature_map: (B, C, h, w) that enters the stage of the image tower; None if there is none
            yet.
        image_index: int64 (B,), where several of the B sentences are about one of I images: the
            image of each sentence. It rises from 0 to I - 1. The image tower then begins with I
            rows, and continues with B from the first adapter on. None for as many images as
            sentences.
    """

    text_tokens: Tensor
    key_padding_mask: Tensor | None = None
    feature_map: Tensor | None = None
    image_index: Tensor | None = None

    def per_sentence(self, rows: Tensor) -> Tensor:
        """Rows (I, ...) of images as rows (B, ...) of sentences; B rows stay as they are."""
        if self.image_index is None or len(rows) == len(self.image_index):
            return rows
        return rows[self.image_index]


class StagedTower(nn.Module, ABC):
    """A tower that runs stage by stage: `begin_stages`, then `run_stage` for each stage.

    A tower has `num_stages` stages; `set_stages` makes those that a system requires.
    Between two stages a tower has a state: the tokens of a text tower, the map of a ResNet, tokens
    and grid of a vision transformer.

    Attributes:
        modality: "image" or "text".
        lora_targets: regular expression over the whole names of the layers that LoRA changes by
            default, those of the attention; empty for all linear layers.
        train_pos_embed: whether `apply_peft` leaves the position embeddings tuned; a system sets
            it.
    """

    modality: ClassVar[Modality]
    lora_targets: ClassVar[str] = ""
    train_pos_embed: bool = False

    @property
    @abstractmethod
    def output_dim(self) -> int:
        """P, channels of the final map, or of the sentence embedding."""

    @property
    def pos_embed(self) -> nn.Parameter | None:
        """The learned position embeddings, in the shape in which the published files have them.

        That is (1, N, C) for a vision transformer, (1 + pos_grid^2, C) for a CLIP ResNet and
        (context_length, T) for a text tower. None, as here, for a tower without absolute position
        embeddings: nothing is then resized, and `train_pos_embed` has no effect.
        """
        return None

    @property
    @abstractmethod
    def num_stages(self) -> int:
        """Number of stages."""

    @abstractmethod
    def set_stages(self, out_indices: Sequence[int] | None = None) -> None:
        """Set the stages that a system requires.

        Args:
            out_indices: last block of each stage of a transformer, counted from 0; None or empty
                for the stages that the tower has. A ResNet has stages of its own.

        Raises:
            ArgumentError: if these cannot be its stages.
        """

    @abstractmethod
    def begin_stages(
        self, inputs: Tensor, *, intermediates: Intermediates = NO_INTERMEDIATES
    ) -> Any:
        """Everything before the first stage, of images (B, 3, H, W) or token ids (B, L)."""

    @abstractmethod
    def run_stage(
        self,
        stage: int,
        state: Any,
        *,
        context: StageContext | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Any:
        """Run a stage, counted from 1; every adapter inside the stage gets the context.

        All towers record what leaves a stage as "stages.1" and so on.
        """

    def init_buffers(self) -> None:
        """Give values to buffers on the meta device, which a file of weights need not hold.

        Here those are the counts of batches of batch norms.
        """
        for module in self.modules():
            if isinstance(module, _BatchNorm):
                count = module.num_batches_tracked
                if count is not None and count.is_meta:
                    module.num_batches_tracked = torch.zeros_like(count, device="cpu")


class StagedImageTower(StagedTower):
    """An image tower, whose state between two stages can be read and replaced as a map.

    Attributes:
        architecture: what the maps are made of, which chooses the form of ETRIS's Bridgers: "vit"
            for tokens on a grid (any transformer), "resnet" for maps of a convolutional network.
        pos_grid: side of the images that the tower was trained at, divided by `image_step`; that is
            the side of the grid of position embeddings. A tower without any may have `image_size`
            instead.
        norm_eval: whether the batch norms of the pretrained network stay in evaluation mode when
            the tower is trained.
        norm_eval_excludes: names of children whose batch norms are in training mode all the same:
            adapters, and what no file of weights contains.
    """

    architecture: ClassVar[Architecture]
    modality: ClassVar[Literal["image"]] = "image"
    pos_grid: int
    norm_eval: bool = False
    #: whether `select_rows` works, and a `StageContext` may have an `image_index`
    shares_images: ClassVar[bool] = False
    norm_eval_excludes: ClassVar[tuple[str, ...]] = ("adapters",)

    def train(self, mode: bool = True) -> Self:
        """Set training or evaluation mode, that of the batch norms by `norm_eval`."""
        super().train(mode)
        for name, child in self.named_children():
            if self.norm_eval and name not in self.norm_eval_excludes:
                for module in child.modules():
                    if isinstance(module, _BatchNorm):
                        module.eval()
        return self

    @property
    @abstractmethod
    def stage_dims(self) -> tuple[int, ...]:
        """Channels of the map after each stage."""

    @property
    def stage_in_dims(self) -> tuple[int, ...]:
        """Channels of the map that enters each stage; here the first stage keeps their number."""
        return (self.stage_dims[0], *self.stage_dims[:-1])

    @property
    @abstractmethod
    def strides(self) -> tuple[int, ...]:
        """Stride of the map after each stage, pixels."""

    @property
    def num_stages(self) -> int:
        """Number of stages, each of which gives a map."""
        return len(self.stage_dims)

    @property
    @abstractmethod
    def image_step(self) -> int:
        """Image sides are multiples of this, pixels."""

    @property
    def map_dims(self) -> tuple[int, ...]:
        """Channels of the maps that `forward` returns: the last one is the final map."""
        return (*self.stage_dims[:-1], self.output_dim)

    @property
    def image_size(self) -> int:
        """Side of the images that the tower was trained at, pixels."""
        return self.image_step * self.pos_grid

    @staticmethod
    def arguments_for_size(arguments: Mapping[str, Any], image_size: int) -> dict[str, Any]:
        """Changes to the preset's arguments where all images have one size; here there are none.

        Args:
            arguments: those of the tower's preset.
            image_size: side S of the images, pixels.
        """
        return {}

    def resize_pos_embed(self, pos_embed: Tensor, grid: Grid) -> Tensor:
        """Position embeddings in the shape of `pos_embed` for another grid, by the tower's rule.

        A tower whose `pos_embed` is None needs no such method.
        """
        raise NotImplementedError(f"{type(self).__name__} has no position embeddings to resize")

    @abstractmethod
    def stage_map(self, state: Any) -> Tensor:
        """The state as a map (B, C, h, w)."""

    @abstractmethod
    def with_stage_map(self, state: Any, feature_map: Tensor) -> Any:
        """The state with another map (B, C, h, w)."""

    def select_rows(self, state: Any, rows: Tensor) -> Any:
        """The state of these rows of a batch, int64 (B,), any of them as often as it is named.

        A tower with `shares_images` has this method.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot repeat rows between stages")

    @abstractmethod
    def final_map(
        self,
        state: Any,
        *,
        context: StageContext | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """The last map (B, P, h, w): what follows the last stage, at least the last norm."""

    @abstractmethod
    def pooled(self, images: Tensor) -> Tensor:
        """One vector per image, (B, 3, H, W) to (B, P), not normalised."""

    def pooled_with_map(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The vectors of `pooled`, (B, P), and the final maps (B, P, h, w).

        The towers of risbook compute both in one pass; here the tower runs twice.
        """
        return self.pooled(images), self(images).maps[-1]

    def forward(
        self,
        images: Tensor,
        *,
        context: StageContext | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> ImageFeatures:
        """Run the tower.

        Args:
            images: normalised images (B, 3, H, W), both sides multiples of `image_step`.
            context: handed to every adapter, see `risbook.towers.sites.Site`.
            intermediates: gets what `begin_stages`, `run_stage` and `final_map` record.

        Returns:
            One map per stage as the stage leaves it, of `map_dims` channels at `strides`; the last
            one is the final map.
        """
        state = self.begin_stages(images, intermediates=intermediates)
        maps = []
        for stage in range(1, self.num_stages + 1):
            state = self.run_stage(stage, state, context=context, intermediates=intermediates)
            maps.append(self.stage_map(state))
        maps[-1] = self.final_map(state, context=context, intermediates=intermediates)
        return ImageFeatures(maps=tuple(maps), strides=self.strides)


class StagedTextTower(StagedTower):
    """A text tower, whose state between two stages is its tokens (B, L, T).

    Attributes:
        embed_dim: T, channels of the tokens.
        context_length: largest number of tokens L.
    """

    modality: ClassVar[Literal["text"]] = "text"
    embed_dim: int
    context_length: int

    @abstractmethod
    def key_padding_mask(self, token_ids: Tensor) -> Tensor:
        """Ids (B, L) to bool, true where a token of the state is padding.

        With K prompts among the tokens (B, L + K); a prompt is no padding.
        """

    @abstractmethod
    def final_features(
        self,
        state: Tensor,
        token_ids: Tensor,
        *,
        context: StageContext | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> TextFeatures:
        """The features of the sentences: what follows the last stage, at least the last norm.

        Args:
            state: (B, L, T) after the last stage; with K prompts (B, L + K, T).
            token_ids: (B, L).
            context: handed to every adapter.
            intermediates: gets the tokens after the last norm as "final".
        """

    def forward(
        self,
        token_ids: Tensor,
        *,
        context: StageContext | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> TextFeatures:
        """Run the tower.

        Args:
            token_ids: (B, L), as the tokenizer of the tower pads them.
            context: handed to every adapter, see `risbook.towers.sites.Site`.
            intermediates: gets what `begin_stages`, `run_stage` and `final_features` record.

        Returns:
            Text tokens (B, L, T), not projected; sentence embedding (B, P); key padding mask (B,
            L).
        """
        state = self.begin_stages(token_ids, intermediates=intermediates)
        for stage in range(1, self.num_stages + 1):
            state = self.run_stage(stage, state, context=context, intermediates=intermediates)
        return self.final_features(state, token_ids, context=context, intermediates=intermediates)


Tower = StagedImageTower | StagedTextTower
