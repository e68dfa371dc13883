"""The families of towers, each with its class.

What a new family needs:

- an entry of `FAMILIES`, and one of `risbook.towers.weights.published_formats.PUBLISHED_FORMATS`:
  the names under which its weights are published;
- a vision transformer of another style: an entry of `vision_styles.STYLES`, and one of
  `FAMILY_STYLES`;
- another class: a member of the union `Tower`, derived from a class of `risbook.towers.stages`. The
  layers that LoRA changes by default stand in `risbook.adapters.lora`.
"""

from typing import Any

from risbook.towers.clip_resnet import CLIPResNet
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.presets import TowerPreset
from risbook.towers.text_transformer import TextTransformer

Tower = ImageTransformer | CLIPResNet | TextTransformer

FAMILIES: dict[str, type[Tower]] = {
    "clip-vit": ImageTransformer,
    "clip-resnet": CLIPResNet,
    "clip-text": TextTransformer,
    "dinov2": ImageTransformer,
}

#: the style of each family of vision transformers
FAMILY_STYLES = {"clip-vit": "clip", "dinov2": "dinov2"}


def tower_arguments(preset: TowerPreset) -> dict[str, Any]:
    """Arguments of the class of a preset's tower: those of the preset, and its family's style."""
    style = FAMILY_STYLES.get(preset.family)
    return {**({} if style is None else {"style": style}), **preset.arguments}
