"""The table of towers: their sizes, and where their weights are published.

`register_tower` adds a tower of one's own, which `build_tower` and the configurations of systems
then know by its name. If no class of risbook computes it, `register_tower_family` comes first:

    register_tower_family("my-family", TowerFamily(MyImageTower))
    register_tower("my-tower", TowerPreset("my-family", {"width": 64}, folder=Path("weights")))
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from risbook.errors import ArgumentError
from risbook.registry import Registry
from risbook.tokenizers.clip_tokenizer import CLIPTokenizer
from risbook.tokenizers.word_tokenizer import WordTokenizer
from risbook.towers.families import FAMILIES
from risbook.towers.stages import Tower


@dataclass(frozen=True)
class HubFile:
    """One file of a repository on the hub.

    Args:
        repo: "owner/name".
        file: its path in the repository.
        revision: a commit of 40 hexadecimal digits, or "main" where none could be verified; the
            commit of the file is noted in the weights' source either way.
        sha256: its digest, if one is known from an independent source; then it is checked.
        size: bytes, about; shown before a download.
    """

    repo: str
    file: str
    revision: str = "main"
    sha256: str = ""
    size: int = 0

    @property
    def pinned(self) -> bool:
        """Whether the revision is a commit."""
        return re.fullmatch("[0-9a-f]{40}", self.revision) is not None

    def __str__(self) -> str:
        return f"{self.repo}@{self.revision[:8]}"


@dataclass(frozen=True)
class TowerPreset:
    """How a named tower is made.

    Args:
        family: a name of `risbook.towers.families.FAMILIES`, which also says what a family is.
        arguments: of the family's class, besides those that the family shares.
        hub: its weights; None for a tower that is not on the hub.
        tokenizer_class: for a text tower, the class of its tokenizer.
        vocabulary: for a text tower, the tokenizer's file on the hub.
        text_tower: for an image tower, the text tower that shares its space.
        folder: without `hub`, the folder of its weights; None for a tower that risbook ships.
    """

    family: str
    arguments: Mapping[str, Any]
    hub: HubFile | None = None
    tokenizer_class: type[CLIPTokenizer | WordTokenizer] | None = None
    vocabulary: HubFile | None = None
    text_tower: str = ""
    folder: Path | None = None

    @property
    def tower_class(self) -> type[Tower]:
        """The class of the tower."""
        return FAMILIES[self.family].tower_class

    @property
    def all_arguments(self) -> dict[str, Any]:
        """The arguments of the class: those of the family and those of this tower."""
        return {**FAMILIES[self.family].arguments, **self.arguments}


# Revisions and digests below are those of public projects that pin the same files, each of at
# least two that agree, but for the digest of DINOv2 B (one) and for RN101: no project seems to pin
# it, so its revision could not be verified.
_RN50 = HubFile(
    repo="timm/resnet50_clip.openai",
    file="open_clip_model.safetensors",
    revision="ec3d92cf63a5f9d591f0d611b736895966c73076",
    sha256="da0baa37fb2211eee5729ab69ed587eb10d48f5b7076ceeed01552fc3d4cb4ee",
    size=408_291_932,
)
_RN101 = HubFile(
    repo="timm/resnet101_clip.openai",
    file="open_clip_model.safetensors",
    size=479_000_000,
)
_VITB16 = HubFile(
    repo="timm/vit_base_patch16_clip_224.openai",
    file="open_clip_model.safetensors",
    revision="977e3dd0ec55ab8da155f2fbeb6b5f54948b6e3d",
    sha256="4b8699299b1e8997753c64b052ba32031449d5d853f55a039148560ee02b820f",
    size=599_000_000,
)
_DINOV2_B = HubFile(
    repo="facebook/dinov2-with-registers-base",
    file="model.safetensors",
    revision="a1d738ccfa7ae170945f210395d99dde8adb1805",
    sha256="7a6f7b3b9fa4b8732e707476a03cd6cdce210048582f21aafb7991c17d98e362",
    size=346_000_000,
)
_DINOV2_L = HubFile(
    repo="facebook/dinov2-with-registers-large",
    file="model.safetensors",
    revision="e4c89a4e05589de9b3e188688a303d0f3c04d0f3",
    size=1_217_000_000,
)
_CLIP_WORDS = HubFile(
    repo="openai/clip-vit-base-patch16",
    file="tokenizer.json",
    revision="57c216476eefef5ab752ec549e440a49ae4ae5f3",
    size=2_200_000,
)


# as published by OpenAI for RN50, RN101 and ViT-B/16
_CLIP_TEXT = {
    "vocab_size": 49408,
    "embed_dim": 512,
    "depth": 12,
    "num_heads": 8,
    "context_length": 77,
}
_CLIP_RESNET = {"width": 64, "num_heads": 32, "pos_grid": 7}
_BASE = {"embed_dim": 768, "depth": 12, "num_heads": 12}
_LARGE = {"embed_dim": 1024, "depth": 24, "num_heads": 16}
_MINI = {"embed_dim": 128, "depth": 12, "num_heads": 2}
_MINI_PATCHES = {"patch_size": 8, "pos_grid": 12}
# The out_indices of the DINOv2 towers are the blocks after which the released code of DETRIS (Huang
# et al., 2025) takes a map, counted from 0 as there.
_DINOV2 = {"patch_size": 14, "pos_grid": 37, "num_registers": 4}


def _clip_resnet(hub: HubFile, layers: tuple[int, ...], output_dim: int, text: str) -> TowerPreset:
    arguments = {"layers": layers, **_CLIP_RESNET, "output_dim": output_dim}
    return TowerPreset("clip-resnet", arguments, hub, text_tower=text)


def _clip_text(hub: HubFile, output_dim: int) -> TowerPreset:
    arguments = {**_CLIP_TEXT, "output_dim": output_dim}
    return TowerPreset("clip-text", arguments, hub, CLIPTokenizer, _CLIP_WORDS)


TOWERS: Registry[TowerPreset] = Registry(
    "tower",
    {
        "clip-rn50-image": _clip_resnet(_RN50, (3, 4, 6, 3), 1024, "clip-rn50-text"),
        "clip-rn50-text": _clip_text(_RN50, 1024),
        "clip-rn101-image": _clip_resnet(_RN101, (3, 4, 23, 3), 512, "clip-rn101-text"),
        "clip-rn101-text": _clip_text(_RN101, 512),
        "clip-vitb16-image": TowerPreset(
            "clip-vit",
            {**_BASE, "patch_size": 16, "pos_grid": 14, "output_dim": 512},
            _VITB16,
            text_tower="clip-vitb16-text",
        ),
        "clip-vitb16-text": _clip_text(_VITB16, 512),
        "dinov2-vitb14": TowerPreset(
            "dinov2", {**_BASE, "out_indices": (4, 8, 11), **_DINOV2}, _DINOV2_B
        ),
        "dinov2-vitl14": TowerPreset(
            "dinov2", {**_LARGE, "out_indices": (8, 16, 23), **_DINOV2}, _DINOV2_L
        ),
        "clip-mini-image": TowerPreset(
            "clip-vit",
            {**_MINI, **_MINI_PATCHES, "output_dim": 128},
            text_tower="clip-mini-text",
        ),
        # the vocabulary's size is that of the shipped tokenizer
        "clip-mini-text": TowerPreset(
            "clip-text",
            {**_MINI, "context_length": 77, "output_dim": 128},
            tokenizer_class=WordTokenizer,
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
        f"{preset.hub.repo if preset.hub else preset.folder or 'of risbook, shipped'}"
        for name, preset in TOWERS.items()
    }


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
            "image_tower=..., text_tower=..., tokenizer=...)"
        )
    return TOWERS.lookup(name)
