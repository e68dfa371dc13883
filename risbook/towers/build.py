"""Towers by name, with published, shipped, local or random weights.

    tower = build_tower("dinov2-vitb14")                     # published, from the hub
    tower = build_tower("dinov2-vitb14", weights="weights/") # from a folder, without network
    tower = build_tower("dinov2-s")                          # after `risbook towers get dinov2-s`
    tower = build_tower("dinov2-mini")                       # small, comes with the package
    tower = build_tower("dinov2-mini", weights="random")     # the same, untrained

The towers themselves stand in `risbook.towers.presets`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from risbook.errors import DataError, RisbookError
from risbook.files import write_model_folder
from risbook.tokenizers.clip_tokenizer import CLIPTokenizer
from risbook.tokenizers.word_tokenizer import WordTokenizer
from risbook.towers.presets import TowerPreset, get_tower_preset
from risbook.towers.stages import Tower
from risbook.towers.weights.loading import load_weights
from risbook.towers.weights.lookup import SHIPPED_TOWERS, fetch, find_weights, local_folder
from risbook.towers.weights.origin import WeightsOrigin, set_weights_origin
from risbook.towers.weights.tensor_files import cast_weights, read_weights

TOWER_FORMAT = 1

# Arguments come from files as well, and a wrong one would fill the memory before there is an error.
# So they have upper limits, far above every published tower.
MAX_VALUES = {"vocab_size": 1_000_000, "depth": 100, "layers": 100}
MAX_OTHER = 10_000


def build_tower(
    name: str,
    *,
    weights: str | Path = "auto",
    pretrained: bool = True,
    pos_grid: int | None = None,
    **overrides: Any,
) -> Tower:
    """Make a tower and load its weights; under the meta device, make its shapes and read nothing.

    Args:
        name: a name of `risbook.towers.presets.TOWERS`.
        weights: "auto": the shipped ones of a mini tower; of a published tower those in the
            folder that RISBOOK_WEIGHTS names, if it has them, or those that `fetch_tower` keeps,
            or else those of the hub. "hub": only the hub's. "random": initial values. Anything else
            is the path of a file of weights, or of a folder that holds one file or one folder per
            tower.
        pretrained: false for initial values, as timm has it; the same as ``weights="random"``.
        pos_grid: side of the grid of position embeddings, if not the published one; the published
            embeddings are resized to it by the family's own rule.
        overrides: other arguments of the tower's class, for instance ``out_indices=(3, 7, 11)``.

    Returns:
        The tower in float32, on the CPU, in evaluation mode, with all parameters trainable; see
        `risbook.towers.freezing.freeze`. `weights_origin` says where its weights come from.

    Raises:
        RisbookError: for an unknown name or argument, or weights that are not available; the
            message says what to do.
        DataError: if the file does not fit the tower; the message names the weight.
    """
    preset = get_tower_preset(name)
    if not pretrained or torch.get_default_device().type == "meta":
        weights = "random"
    path, origin = find_weights(name, weights)
    arguments = preset.all_arguments | overrides
    if pos_grid is not None:
        arguments["pos_grid"] = pos_grid
    if path is None:
        tower = _build(name, preset, arguments)
    else:
        # The meta device saves computing initial values that the file replaces.
        with torch.device("meta"):
            tower = _build(name, preset, arguments, path.parent)
        state = read_weights(path)
        try:
            absent = load_weights(tower, state, family=preset.family, resize=pos_grid is not None)
        except DataError as error:
            raise DataError(f"{name} from {path}: {error}") from error
        _initialise_absent(tower, absent)
        origin = WeightsOrigin(origin.kind, origin.source, origin.sha256, absent)
    set_weights_origin(tower, origin)
    return tower.eval()


def build_random_tower(name: str, *, seed: int = 0) -> Tower:
    """A tower with random weights whose blocks take full part: what a trained one is compared with.

    DINOv2 starts its training with a LayerScale of 1e-5, at which a block adds next to nothing to
    its tokens. Here it is 1.

    Args:
        name: the tower's name.
        seed: of the random weights; the global generator is left as it was.
    """
    overrides: dict[str, Any] = {}
    if get_tower_preset(name).all_arguments.get("style") == "dinov2":
        overrides["layer_scale"] = 1.0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_tower(name, weights="random", **overrides)


def build_meta_tower(name: str) -> Tower:
    """A tower of shapes only, without memory for its weights and without reading them.

    A small text tower reads its shipped vocabulary, whose size is one of its shapes.

    Raises:
        RisbookError: as `build_tower`.
    """
    preset = get_tower_preset(name)
    with torch.device("meta"):
        return _build(name, preset, preset.all_arguments)


def tokenizer_of(
    name: str, *, length: int = 17, weights: str | Path = "auto"
) -> CLIPTokenizer | WordTokenizer:
    """The tokenizer of a text tower, or of an image tower's text tower.

    Args:
        name: a tower's name.
        length: ids per sentence; 17 is that of RefCOCO and RefCOCO+ in the released repositories.
        weights: as `build_tower` has it, where a folder holds ``tokenizer.json`` beside the
            weights; "random" does the same as "auto".

    Raises:
        RisbookError: if the tower has no text side, or the vocabulary is not available.
    """
    preset = get_tower_preset(name)
    if preset.text_tower:
        name, preset = preset.text_tower, get_tower_preset(preset.text_tower)
    if preset.tokenizer_class is None:
        raise RisbookError(f"{name} has no text side, and therefore no tokenizer")
    folder = local_folder(name, "auto" if str(weights) == "random" else weights)
    if folder is not None:
        path = (folder.parent if folder.is_file() else folder) / "tokenizer.json"
    elif preset.vocabulary is not None:
        path = fetch(preset.vocabulary)
    else:
        raise RisbookError(f"{name}: its vocabulary is not on the hub; see weights=")
    return preset.tokenizer_class.from_file(path, length=length)


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
        tower: a tower that was built by this name.
        folder: created if it does not exist.
        name: the tower's name in the table.
        source: where the weights come from, for people.
        tokenizer: of a text tower.
        dtype: float type of the file.

    Raises:
        DataError: if a value is too large for `dtype`.
    """
    try:
        tensors = cast_weights(tower.state_dict(), dtype)
    except DataError as error:
        raise DataError(f"{name}: {error}") from error
    config = {
        "format": TOWER_FORMAT,
        "tower": name,
        "arch": get_tower_preset(name).all_arguments,
        "origin": {"kind": "risbook", "source": source},
    }
    write_tokenizer = None if tokenizer is None else tokenizer.to_file
    write_model_folder(folder, config, tensors, write_tokenizer=write_tokenizer)


def _build(
    name: str, preset: TowerPreset, arguments: Mapping[str, Any], folder: Path | None = None
) -> Tower:
    """A tower of these arguments; a folder of weights may hold the vocabulary."""
    if preset.tokenizer_class is WordTokenizer and "vocab_size" not in arguments:
        arguments = {**arguments, "vocab_size": _vocab_size(name, folder)}
    for key, value in arguments.items():
        sizes = value if isinstance(value, tuple | list) else (value,)
        largest = MAX_VALUES.get(key, MAX_OTHER)
        if any(isinstance(size, int) and not 0 <= size <= largest for size in sizes):
            raise RisbookError(f"{name}: {key} is {value}; it has to be from 0 to {largest}")
    try:
        return preset.tower_class(**arguments)
    except TypeError as error:
        raise RisbookError(f"{name}: {error}") from error


def _vocab_size(name: str, folder: Path | None) -> int:
    for candidate in (folder, SHIPPED_TOWERS / name):
        if candidate is not None and (candidate / "tokenizer.json").is_file():
            tokenizer = WordTokenizer.from_file(candidate / "tokenizer.json", length=77)
            return tokenizer.vocab_size
    raise RisbookError(
        f"{name}: its vocabulary is not in this installation; give its size as vocab_size="
    )


def _initialise_absent(tower: Tower, absent: tuple[str, ...]) -> None:
    """Give memory and initial values to the parts and buffers that the file does not hold."""
    for part in absent:
        for module in tower.get_submodule(part).modules():
            if any(value.is_meta for value in module.parameters(recurse=False)):
                module.to_empty(device="cpu", recurse=False)
                module.reset_parameters()  # type: ignore[operator]
    tower.init_buffers()
    for name, buffer in tower.named_buffers():
        if buffer.is_meta:
            raise RuntimeError(f"{type(tower).__name__}.init_buffers gives no value to {name}")
