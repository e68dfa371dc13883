"""The two towers of a system: named by its configuration, built, frozen, prepared for tuning."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch

from risbook.adapters.peft.apply_peft import apply_to_tower
from risbook.adapters.peft.peft_config import PEFTConfig
from risbook.config import BlockIndices, Size, configuration
from risbook.decoder.mask_head import MaskHead, MaskHeadConfig
from risbook.errors import ArgumentError
from risbook.systems.system_preset import NO_INPUTS, BuildInputs
from risbook.tokenizers.interface import ShapeOnlyTokenizer, Tokenizer
from risbook.towers.build import build_meta_tower, build_tower, tokenizer_of
from risbook.towers.presets import get_tower_preset
from risbook.towers.published_formats import get_published_formats
from risbook.towers.stages import (
    DEFAULT_NUM_STAGES,
    StagedImageTower,
    StagedTextTower,
    StagedTower,
)


@configuration
class PEFTSystemConfig:
    """The base class of the configurations of a `PEFTSystem`: everything about the two towers.

    Args:
        image_tower: name of an image tower.
        text_tower: name of a text tower.
        weights: where both towers' weights come from, see `risbook.towers.build.build_tower`.
        image_size: side S of the letterboxed input, pixels.
        max_tokens: token ids per sentence; in the released repositories 17 for RefCOCO and
            RefCOCO+, 22 for RefCOCOg.
        image_out_indices: last block of each stage of an image tower that is a transformer, counted
            from 0; empty for the stages that the tower was built with. A ResNet has fixed stages.
        text_out_indices: the same for the text tower.
        train_pos_embed: whether the towers' position embeddings are tuned.
        norm_eval: whether the batch norms of the image tower stay in evaluation mode.
        image_peft: a generic method inside the image tower.
        text_peft: the same for the text tower.
    """

    #: stages of both towers, each of which gives a map
    num_stages: ClassVar[int] = DEFAULT_NUM_STAGES

    image_tower: str
    text_tower: str
    weights: str = "auto"
    image_size: Size
    max_tokens: Size
    image_out_indices: BlockIndices = ()
    text_out_indices: BlockIndices = ()
    train_pos_embed: bool = False
    norm_eval: bool = False
    image_peft: PEFTConfig = PEFTConfig()
    text_peft: PEFTConfig = PEFTConfig()


@dataclass(frozen=True)
class Towers:
    """Two towers of as many stages, prepared for a system, and their tokenizer.

    Args:
        image: the image tower.
        text: the text tower.
        tokenizer: the text tower's.
    """

    image: StagedImageTower
    text: StagedTextTower
    tokenizer: Tokenizer

    @property
    def factors(self) -> list[float]:
        """Side of the middle map, of two the second, divided by the side of each map."""
        strides = self.image.strides
        middle = strides[len(strides) // 2]
        return [stride / middle for stride in strides]


def build_towers(config: PEFTSystemConfig, inputs: BuildInputs = NO_INPUTS) -> Towers:
    """Build the towers of a configuration, divide them into stages, and prepare them for tuning.

    Args:
        config: the choices.
        inputs: towers or a tokenizer to use in place of those that the configuration names.

    Raises:
        RisbookError: if a tower has another number of stages, its weights are not available, or a
            method cannot work on it.
    """
    image_tower, text_tower, tokenizer = inputs.image_tower, inputs.text_tower, inputs.tokenizer
    if image_tower is None:
        image_tower = build_image_tower(
            config.image_tower,
            weights=config.weights,
            image_size=config.image_size,
        )
    image_tower.norm_eval = config.norm_eval
    image_tower.train(image_tower.training)  # which sets the batch norms
    if text_tower is None:
        text_tower = build_text_tower(config.text_tower, weights=config.weights)
    for tower, out_indices in (
        (image_tower, config.image_out_indices),
        (text_tower, config.text_out_indices),
    ):
        tower.set_stages(out_indices)
        if tower.num_stages != config.num_stages:
            raise ArgumentError(
                f"{type(tower).__name__} has {tower.num_stages} stages; a system needs "
                f"{config.num_stages}"
            )
        tower.train_pos_embed = config.train_pos_embed
    dims = context_dims(image_tower, text_tower)
    apply_to_tower(image_tower, config.image_peft, context_dims=dims)
    apply_to_tower(text_tower, config.text_peft, context_dims=dims)
    if tokenizer is None and torch.get_default_device().type == "meta":
        tokenizer = ShapeOnlyTokenizer(config.max_tokens)
    elif tokenizer is None:
        tokenizer = tokenizer_of(
            config.text_tower, length=config.max_tokens, weights=config.weights
        )
    return Towers(image_tower, text_tower, tokenizer)


def build_mask_head(config: MaskHeadConfig, towers: Towers) -> MaskHead:
    """Build a mask head for the maps and text features of two towers."""
    return MaskHead(
        config,
        map_dims=towers.image.map_dims,
        factors=towers.factors,
        text_dim=towers.text.embed_dim,
        sentence_dim=towers.text.output_dim,
    )


def build_image_tower(
    name: str,
    *,
    weights: str | Path,
    image_size: int,
    **arguments: Any,
) -> StagedImageTower:
    """Build an image tower for one image size.

    The position embeddings of a CLIP transformer are resized to it once, as ETRIS does, so that
    the resized ones can be tuned; other towers resize theirs in each forward pass.

    Args:
        name: the tower's name.
        weights: see `risbook.towers.build.build_tower`.
        image_size: side S of the images, pixels.
        arguments: other arguments of the tower; a `pos_grid` of yours takes the place of the one
            for `image_size`.
    """
    preset = get_tower_preset(name)
    if not issubclass(preset.tower_class, StagedImageTower):
        raise ArgumentError(f"{name} is a text tower; image_tower must name an image tower")
    sized = preset.tower_class.arguments_for_size(preset.all_arguments, image_size)
    tower = build_tower(name, weights=weights, **{**sized, **arguments})
    assert isinstance(tower, StagedImageTower)
    return tower


def build_text_tower(name: str, *, weights: str | Path) -> StagedTextTower:
    """Build a text tower; see `risbook.towers.build.build_tower` for `weights`."""
    if not issubclass(get_tower_preset(name).tower_class, StagedTextTower):
        raise ArgumentError(f"{name} is an image tower; text_tower must name a text tower")
    tower = build_tower(name, weights=weights)
    assert isinstance(tower, StagedTextTower)
    return tower


def frozen_file_weights(tower: StagedTower, name: str) -> list[str]:
    """Names of the frozen weights of a tower that its own file holds.

    Buffers are not among them, because a training changes the statistics of batch norms.

    Args:
        tower: the tower in a system, on any device.
        name: its name in the table of towers.
    """
    new_parts = get_published_formats(get_tower_preset(name).family).new_parts
    in_file = build_meta_tower(name).state_dict()
    return [
        entry
        for entry, parameter in tower.named_parameters()
        if entry in in_file
        and not parameter.requires_grad
        and not entry.startswith(tuple(f"{part}." for part in new_parts))
    ]


def context_dims(image_tower: StagedImageTower, text_tower: StagedTextTower) -> dict[str, Any]:
    """Channels of what adapters read of the other modality, as `PEFTMethod` names them."""
    return {"text_dim": text_tower.embed_dim, "image_dims": image_tower.stage_in_dims}
