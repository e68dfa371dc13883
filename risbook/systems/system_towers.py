"""The two towers of a system: built by name for its image size, frozen, and prepared for tuning."""

from pathlib import Path
from typing import Any

from risbook.adapters.methods.peft_application import apply_to_tower
from risbook.adapters.methods.peft_config import PEFTConfig
from risbook.errors import ArgumentError
from risbook.towers.build import build_tower
from risbook.towers.presets import get_tower_preset
from risbook.towers.stages import StagedImageTower, StagedTextTower, StagedTower


def build_image_tower(
    name: str,
    *,
    weights: str | Path,
    image_size: int,
    norm_eval: bool = False,
    **arguments: Any,
) -> StagedImageTower:
    """Build an image tower for one image size.

    The position embeddings of a CLIP transformer are resized to it once, as ETRIS does, so that
    the resized ones can be tuned; other towers resize theirs in each forward pass.

    Args:
        name: the tower's name.
        weights: see `risbook.towers.build.build_tower`.
        image_size: side S of the images, pixels.
        norm_eval: whether a ResNet's batch norms stay in evaluation mode.
        arguments: other arguments of the tower; a `pos_grid` of yours takes the place of the one
            for `image_size`.
    """
    preset = get_tower_preset(name)
    if not issubclass(preset.tower_class, StagedImageTower):
        raise ArgumentError(f"{name} is a text tower; image_tower must name an image tower")
    sized = preset.tower_class.arguments_for_size(preset.all_arguments, image_size)
    tower = build_tower(name, weights=weights, **{**sized, **arguments})
    assert isinstance(tower, StagedImageTower)
    tower.norm_eval = norm_eval
    return tower


def build_text_tower(name: str, *, weights: str | Path) -> StagedTextTower:
    """Build a text tower; see `risbook.towers.build.build_tower` for `weights`."""
    if not issubclass(get_tower_preset(name).tower_class, StagedTextTower):
        raise ArgumentError(f"{name} is an image tower; text_tower must name a text tower")
    tower = build_tower(name, weights=weights)
    assert isinstance(tower, StagedTextTower)
    return tower


def prepare_towers(
    image_tower: StagedImageTower,
    text_tower: StagedTextTower,
    *,
    train_pos_embed: bool = False,
    image_peft: PEFTConfig | None = None,
    text_peft: PEFTConfig | None = None,
) -> None:
    """Freeze two towers, but for what is tuned inside them, in place.

    Args:
        image_tower: the image tower.
        text_tower: the text tower.
        train_pos_embed: whether the towers' position embeddings are tuned; without effect in a
            tower that has none.
        image_peft: generic method inside the image tower; None for none.
        text_peft: the same for the text tower.

    Raises:
        ArgumentError: if a method cannot work on its tower.
    """
    dims = context_dims(image_tower, text_tower)
    towers: tuple[StagedTower, StagedTower] = (image_tower, text_tower)
    for tower, peft in zip(towers, (image_peft, text_peft), strict=True):
        apply_to_tower(tower, peft or PEFTConfig(), context_dims=dims)
        if train_pos_embed:
            unfreeze_pos_embed(tower)


def context_dims(image_tower: StagedImageTower, text_tower: StagedTextTower) -> dict[str, Any]:
    """Channels of what adapters read of the other modality, as `PEFTMethod` names them."""
    return {"text_dim": text_tower.embed_dim, "image_dims": image_tower.stage_dims}


def unfreeze_pos_embed(tower: StagedTower) -> None:
    """Let a tower's position embeddings be tuned; nothing happens in a tower that has none."""
    if tower.pos_embed is not None:
        tower.pos_embed.requires_grad_(True)
