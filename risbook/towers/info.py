"""Facts about a tower without loading it: sizes, shapes, and where its weights are."""

from dataclasses import dataclass

import torch

from risbook.errors import RisbookError
from risbook.towers.build import build_meta_tower
from risbook.towers.presets import TowerPreset, get_tower_preset
from risbook.towers.published_files import HubFile, PackageFile
from risbook.towers.stages import Tower
from risbook.towers.weights.lookup import (
    FOLDER_VARIABLE,
    SHIPPED_TOWERS,
    cached,
    kept_folder,
    local_folder,
)

Shape = tuple[int, ...]


@dataclass(frozen=True)
class TowerInfo:
    """A tower in numbers.

    Args:
        name: its name.
        family: a name of `risbook.towers.families.FAMILIES`.
        parameters: their number; None where it depends on a vocabulary that is not shipped.
        default_input: shape of one input: (3, H, W), or (L,) ids.
        allowed_input: which other sizes it takes: image sides in pixels, any whole n and m; or
            "fewer", for a text tower, which takes shorter sentences.
        features: shapes of the features of one default input, by name: maps are (C, h, w), text
            tokens (L, T), the sentence (P,).
        weights: in words, where the weights are now.
        source: the file of the weights on the hub or in a package, or their folder.
    """

    name: str
    family: str
    parameters: int | None
    default_input: Shape
    allowed_input: str
    features: dict[str, Shape]
    weights: str
    source: str


def tower_info(name: str) -> TowerInfo:
    """Describe a tower, by its name, without its weights and without a network.

    Raises:
        RisbookError: if there is none of that name.
    """
    preset = get_tower_preset(name)
    tower: Tower | None
    try:
        tower = build_meta_tower(name)
    except RisbookError:
        if "context_length" not in preset.arguments:
            raise
        tower = None  # a mini text tower whose vocabulary is not shipped
    if tower is not None and tower.modality == "image":
        step, side = tower.image_step, tower.image_size
        default_input: Shape = (3, side, side)
        allowed_input = f"{step}n x {step}m"
    else:
        length = preset.arguments["context_length"] if tower is None else tower.context_length
        default_input = (int(length),)
        allowed_input = "fewer"
    return TowerInfo(
        name=name,
        family=preset.family,
        parameters=None if tower is None else sum(value.numel() for value in tower.parameters()),
        default_input=default_input,
        allowed_input=allowed_input,
        features=_features(tower),
        weights=weights_status(name),
        source=_source(name, preset),
    )


def _source(name: str, preset: TowerPreset) -> str:
    if preset.hub is not None:
        return f"{preset.hub}/{preset.hub.file}"
    if preset.package is not None:
        return f"{preset.package.label}, {preset.package.member}"
    return str(preset.folder or f"shipped/{name}")


def _features(tower: Tower | None) -> dict[str, Shape]:
    if tower is None:
        return {}
    if tower.modality == "text":
        text_tokens = (tower.context_length, tower.embed_dim)
        return {"text tokens": text_tokens, "sentence": (tower.output_dim,)}
    with torch.no_grad():
        side = tower.image_size
        maps = tower.eval()(torch.empty(1, 3, side, side, device="meta")).maps
    return {f"map {i}": tuple(features.shape[1:]) for i, features in enumerate(maps, start=1)}


def weights_status(name: str) -> str:
    """Where `build_tower(name)` would find the weights, in a few words; makes no request."""
    preset = get_tower_preset(name)
    published: HubFile | PackageFile | None = preset.hub or preset.package
    if published is None:
        if preset.folder:
            return "in its folder" if preset.folder.is_dir() else "not in its folder"
        is_shipped = (SHIPPED_TOWERS / name / "config.json").is_file()
        return "shipped" if is_shipped else "not shipped"
    folder = local_folder(name, "auto")
    if folder is not None:
        return "in the cache" if folder == kept_folder(name) else FOLDER_VARIABLE
    if preset.hub is not None and cached(preset.hub) is not None:
        return "in the hub cache"
    megabytes = published.size / 1e6
    size = f"{megabytes / 1e3:.1f} GB" if megabytes >= 1e3 else f"{megabytes:.0f} MB"
    return f"download {size}"
