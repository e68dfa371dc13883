"""The families of towers. Four words say what a tower is:

- family: published networks that one class computes, for instance "dinov2". Their files of weights
  have the names of one entry of `risbook.towers.published_formats`.
- style: "clip" or "dinov2", an argument of `ImageTransformer`. It chooses norms, activation and
  position embeddings, so that one class computes two families, see `risbook.towers.vision_styles`.
- architecture: "vit" or "resnet", of an image tower's class: its maps are tokens on a grid, or maps
  of a convolutional network. ETRIS has a form of Bridger for each.
- modality: "image" or "text", of the class.

A preset names its family; style, architecture and modality follow from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from risbook.registry import Registry
from risbook.towers.clip_resnet import CLIPResNet
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.published_formats import PUBLISHED_FORMATS, PublishedFormats
from risbook.towers.stages import Tower
from risbook.towers.text_transformer import TextTransformer


@dataclass(frozen=True)
class TowerFamily:
    """A class of towers, with what all towers of the family share.

    Args:
        tower_class: a class derived from `StagedImageTower` or `StagedTextTower`.
        arguments: of the class, the same for every tower of the family.
        formats: the names that the published files of the family have; None if they have those of
            the class.
    """

    tower_class: type[Tower]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    formats: PublishedFormats | None = None


FAMILIES: Registry[TowerFamily] = Registry(
    "family",
    {
        "clip-vit": TowerFamily(ImageTransformer, {"style": "clip"}),
        "clip-resnet": TowerFamily(CLIPResNet),
        "clip-text": TowerFamily(TextTransformer),
        "dinov2": TowerFamily(ImageTransformer, {"style": "dinov2"}),
    },
)


def register_tower_family(name: str, family: TowerFamily) -> None:
    """Add a family, or replace one, under a name that presets can give.

    `PUBLISHED_FORMATS` gets the formats of the family, if it has any.
    """
    FAMILIES[name] = family
    if family.formats is not None:
        PUBLISHED_FORMATS[name] = family.formats
