"""Towers by name, with published, shipped, local or random weights.

    tower = build_tower("dinov2-vitb14")                     # published, from the hub
    tower = build_tower("dinov2-vitb14", weights="weights/") # from a folder, without network
    tower = build_tower("dinov2-mini")                       # small, comes with the package
    tower = build_tower("dinov2-mini", weights="random")     # the same, untrained

The towers themselves stand in `risbook.towers.tower_presets`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from risbook.errors import DataError, RisbookError
from risbook.files import write_atomically, write_json, write_safetensors
from risbook.towers.clip_resnet import CLIPResNet
from risbook.towers.clip_tokenizer import CLIPTokenizer
from risbook.towers.hub import fetch
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.rename_forms import Family
from risbook.towers.text_transformer import TextTransformer
from risbook.towers.tower_presets import TowerPreset, tower_preset
from risbook.towers.weight_lookup import SHIPPED, find_weights, local_folder, ways_out
from risbook.towers.weights import load_weights, read_file
from risbook.towers.weights_source import WeightsSource, set_weights_source
from risbook.towers.word_tokenizer import WordTokenizer

Tower = ImageTransformer | CLIPResNet | TextTransformer

CLASSES: dict[Family, type[Tower]] = {
    "clip-vit": ImageTransformer,
    "clip-resnet": CLIPResNet,
    "clip-text": TextTransformer,
    "dinov2": ImageTransformer,
}

FORMAT = 1


def build_tower(
    name: str, *, weights: str | Path = "auto", table: int | None = None, **changes: Any
) -> Tower:
    """Make a tower and load its weights.

    Args:
        name: a name of `risbook.towers.tower_presets.TOWERS`.
        weights: "auto": the shipped ones of a mini tower; of a published tower those in the
            folder that RISBOOK_WEIGHTS names, if it has them, or else those of the hub. "hub":
            only the hub's. "random": none. Anything else is a file of weights, or a folder that
            holds one or has a folder for each tower.
        table: side of the position table, if not the published one; the published table is
            resized to it by the family's own rule.
        changes: other arguments of the tower's class, for instance ``taps=(4, 8, 12)``.

    Returns:
        The tower in float32, on the CPU, in evaluation mode, its parameters still free to learn;
        see `risbook.towers.freezing.freeze`. `weights_source` says where its weights are from.

    Raises:
        RisbookError: for an unknown name or argument, or weights that cannot be had; the message
            says what to do.
        DataError: if a file is not what the tower needs; the message names the weight.
    """
    preset = tower_preset(name)
    path, origin = find_weights(name, preset, weights)
    geometry = dict(preset.geometry) | changes
    if table is not None:
        geometry["table"] = table
    if preset.family == "clip-text" and "vocabulary" not in geometry:
        geometry["vocabulary"] = _vocabulary_size(name, path)
    if path is None:
        tower = _make(name, preset, geometry)
    else:
        # On the meta device the random start costs nothing: weights replace all of it.
        with torch.device("meta"):
            tower = _make(name, preset, geometry)
        state = read_file(path)
        try:
            absent = load_weights(tower, state, family=preset.family, resize=table is not None)
        except DataError as error:
            raise DataError(f"{name} from {path}: {error}") from error
        _bring_to_life(tower, absent)
        origin = WeightsSource(origin.kind, origin.source, origin.sha256, absent)
    set_weights_source(tower, origin)
    return tower.eval()


def meta_tower(name: str) -> Tower:
    """A tower of shapes only, without memory for its weights.

    Raises:
        RisbookError: as `build_tower`.
    """
    preset = tower_preset(name)
    geometry = dict(preset.geometry)
    if preset.family == "clip-text" and "vocabulary" not in geometry:
        geometry["vocabulary"] = _vocabulary_size(name, None)
    with torch.device("meta"):
        return _make(name, preset, geometry)


def tokenizer_of(
    name: str, *, length: int, weights: str | Path = "auto"
) -> CLIPTokenizer | WordTokenizer:
    """The tokenizer of a text tower, or of an image tower's partner.

    Args:
        name: a tower's name.
        length: ids a sentence.
        weights: as `build_tower` has it, where a folder holds ``tokenizer.json`` beside the
            weights; "random" does the same as "auto".

    Raises:
        RisbookError: if the tower has no text side, or its vocabulary cannot be had.
    """
    preset = tower_preset(name)
    if preset.family != "clip-text" and preset.partner:
        name, preset = preset.partner, tower_preset(preset.partner)
    if preset.family != "clip-text":
        raise RisbookError(f"{name} has no text side, and so no tokenizer")
    wish = "auto" if str(weights) == "random" else weights
    if preset.hub is None and str(wish) == "auto":
        return WordTokenizer.from_file(SHIPPED / name / "tokenizer.json", length=length)
    folder = local_folder(name, wish)
    if folder is not None:
        path = (folder if folder.is_dir() else folder.parent) / "tokenizer.json"
        if preset.hub is None:
            return WordTokenizer.from_file(path, length=length)
        return CLIPTokenizer.from_file(path, length=length)
    if preset.tokenizer is None:
        raise RisbookError(f"{name}: its vocabulary is not on the hub; see weights=")
    path = fetch(preset.tokenizer, ways_out=ways_out("tokenizer.json"))
    return CLIPTokenizer.from_file(path, length=length)


def save_tower(
    tower: Tower,
    folder: Path,
    *,
    name: str,
    source: str,
    tokenizer: WordTokenizer | None = None,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write a small tower's folder, which `build_tower` reads.

    Args:
        tower: a tower of `name`'s geometry.
        folder: made if it is not there.
        name: the tower's name in the table.
        source: how the weights came to be, for their origin.
        tokenizer: of a text tower.
        dtype: float type of the file.

    Raises:
        DataError: if a value is too large for `dtype`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").unlink(missing_ok=True)  # until all of the new files are there
    state = {
        key: value.detach().cpu().to(dtype if value.is_floating_point() else value.dtype)
        for key, value in tower.state_dict().items()
    }
    for key, value in state.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise DataError(f"{name}: {key} holds values that are not finite in {dtype}")
    write_safetensors(folder / "model.safetensors", state)
    if tokenizer is not None:
        with write_atomically(folder / "tokenizer.json") as path:
            tokenizer.to_file(path)
    about = {
        "format": FORMAT,
        "tower": name,
        "geometry": dict(tower_preset(name).geometry),
        "origin": {"kind": "small", "source": source},
    }
    write_json(folder / "config.json", about)


def _make(name: str, preset: TowerPreset, geometry: Mapping[str, Any]) -> Tower:
    try:
        return CLASSES[preset.family](**geometry)
    except TypeError as error:
        raise RisbookError(f"{name}: {error}") from error


def _vocabulary_size(name: str, weights: Path | None) -> int:
    folders = [SHIPPED / name] if weights is None else [weights.parent, SHIPPED / name]
    for folder in folders:
        if (folder / "tokenizer.json").is_file():
            return WordTokenizer.from_file(folder / "tokenizer.json", length=77).vocabulary_size
    raise RisbookError(
        f"{name}: its vocabulary is not in this installation; give its size as vocabulary="
    )


def _bring_to_life(tower: nn.Module, absent: tuple[str, ...]) -> None:
    """Give memory and first values to what the weights did not bring."""
    for part in absent:
        for module in tower.get_submodule(part).modules():
            if any(value.is_meta for value in module._parameters.values() if value is not None):
                module.to_empty(device="cpu", recurse=False)
                module.reset_parameters()  # type: ignore[operator]
    for module in tower.modules():
        for key, buffer in module._buffers.items():
            if buffer is None or not buffer.is_meta:
                continue
            if key == "num_batches_tracked":
                module._buffers[key] = torch.zeros_like(buffer, device="cpu")
            elif key == "position_ids":  # transformers counts the words' places
                module._buffers[key] = torch.arange(buffer.shape[-1])[None]
            else:
                raise RuntimeError(f"nobody gives a value to the buffer {key}")
