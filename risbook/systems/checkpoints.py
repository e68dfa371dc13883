"""Checkpoints: folders with the tuned weights of a system, its configuration and its tokenizer.

Weights are safetensors, so a checkpoint cannot run code when it is opened.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from risbook.attribute_hints import close_name
from risbook.errors import ArgumentError, DataError, RisbookError, warn_user
from risbook.files import read_json, write_model_folder
from risbook.keyword_aliases import keyword_aliases
from risbook.systems.hub_checkpoints import download_checkpoint, is_repository
from risbook.systems.mismatch import first_mismatch
from risbook.systems.model_card import model_card
from risbook.systems.peft_system import PEFTSystem
from risbook.systems.system import System
from risbook.systems.system_preset import BuildInputs
from risbook.systems.system_presets import (
    SHIPPED_SYSTEMS,
    SYSTEMS,
    build_named,
    build_system,
    get_system_preset,
)
from risbook.towers.build import tokenizer_of
from risbook.towers.presets import TOWERS
from risbook.towers.weights.origin import (
    WeightsOrigin,
    file_values_digest,
    set_weights_origin,
)
from risbook.towers.weights.tensor_files import cast_weights, read_weights

CHECKPOINT_FORMAT = 1
#: entries of the origin of a tower's weights that are text
ORIGIN_TEXTS = ("kind", "source", "sha256", "values")


def list_shipped() -> list[str]:
    """Names of the checkpoints that come with the package."""
    return sorted(path.parent.name for path in SHIPPED_SYSTEMS.glob("*/config.json"))


def save_system(system: System, folder: str | Path, *, dtype: torch.dtype | None = None) -> None:
    """Write a checkpoint.

    Args:
        system: the system.
        folder: created if it does not exist.
        dtype: a smaller float type for the file, for instance `torch.float16`; integers keep
            their type, and a loaded system computes in float32.

    Raises:
        DataError: if a value is too large for `dtype`.
        RisbookError: if the configuration cannot name what the system holds. In both cases an
            earlier checkpoint in the folder stays.
    """
    if system.loadable and system.name not in SYSTEMS:
        warn_user(
            f"risbook.load cannot build a system called {system.name!r}: set model.name to the "
            "preset whose builder made it, or add one by risbook.systems.register_system"
        )
    check_saveable(system)
    tensors = cast_weights(system.saved_state(), dtype)
    write_checkpoint(system, Path(folder), tensors, origins=system.weights_origins())


def write_checkpoint(
    system: System,
    folder: Path,
    tensors: Mapping[str, Tensor],
    *,
    origins: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write the files of a checkpoint and its card.

    Args:
        system: on any device, the meta device included: its weights are not read.
        folder: created if it does not exist.
        tensors: for ``model.safetensors``.
        origins: where the towers' weights come from, see `System.weights_origins`.
    """
    values = {"format": CHECKPOINT_FORMAT, "system": system.name, "config": system.config_values()}
    values |= {name: part for name, part in (("towers", origins), ("about", system.about)) if part}
    write_model_folder(
        folder,
        values,
        tensors,
        write_tokenizer=system.tokenizer.to_file if system.owns_tokenizer else None,
        card=model_card(system, origins),
    )


def check_saveable(system: System) -> None:
    """Refuse a system that `load_system` could not build again.

    That is what the system itself refuses and, under the name of a registered system, other parts
    than that system has. Shapes of what the towers' files brought are not compared, because two
    files of one tower may differ in the vocabulary.

    Raises:
        RisbookError: names what the configuration cannot build.
    """
    system.check_saveable()
    if not isinstance(system, PEFTSystem) or system.name not in SYSTEMS:
        return
    state, required = system.state_dict(), system.required_keys()
    try:
        with torch.device("meta"):
            expected = build_named(system.name, system.config).state_dict()
        compared = {
            name: value if name in required else expected.get(name, value)
            for name, value in state.items()
        }
        misfit = first_mismatch(compared, expected, expected)
    except RisbookError as error:  # the towers that it names have other sizes
        misfit = str(error)
    if misfit:
        raise RisbookError(
            f"{system.name} has parts that its configuration does not build: {misfit}; give a "
            "system of your own parts a name of its own, as model.name"
        )


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file() and (folder / "training.json").is_file():
        raise DataError(f"{folder}: this run is not finished; continue it with resume first")
    if not path.is_file():
        raise DataError(_no_checkpoint(folder))
    values = read_json(path)
    if not isinstance(values, dict) or values.get("format") != CHECKPOINT_FORMAT:
        raise DataError(f"{path}: not a checkpoint of format {CHECKPOINT_FORMAT}")
    if not isinstance(values.get("system"), str) or values["system"] not in SYSTEMS:
        raise DataError(f"{path}: unknown system {values.get('system')!r}")
    towers = values.setdefault("towers", {})
    if not isinstance(towers, dict) or not all(
        isinstance(source, dict)
        and all(isinstance(source.get(key, ""), str) for key in ORIGIN_TEXTS)
        for source in towers.values()
    ):
        raise DataError(f"{path}: towers has to give the source of each tower's weights by name")
    if not isinstance(values.setdefault("about", {}), dict):
        raise DataError(f"{path}: about has to be an object of what is known of the weights")
    return values


def _no_checkpoint(folder: Path) -> str:
    name = str(folder)
    if name in SYSTEMS:
        return (
            f"{name} has no trained weights in the package; load({name!r}, pretrained=False) makes "
            "it with initial ones, and train it, or convert the authors' file by `risbook convert`"
        )
    if name in TOWERS:
        return f"{name} is a tower, not a model; risbook.towers.build_tower({name!r}) makes it"
    close = close_name(name, SYSTEMS)
    hint = f"did you mean {close!r}? " if close else ""
    return (
        f"{folder}: no checkpoint here (config.json is missing); {hint}name a folder that "
        f"`risbook train` wrote, or one that is shipped: {', '.join(list_shipped())}"
    )


def find_checkpoint(where: str | Path, *, revision: str | None = None) -> Path:
    """The folder of a checkpoint: `where` itself, a shipped one, or a download from the Hub.

    Args:
        where: a folder, the name of a shipped checkpoint, or "owner/name" of the Hub.
        revision: commit, branch or tag on the Hub; then `where` is a repository.

    Raises:
        DataError: if the Hub has no such checkpoint.
        RisbookError: if the Hub is not reachable and its checkpoint is not in the cache.
    """
    if revision is not None:
        if not is_repository(where):
            raise ArgumentError(
                f"revision={revision!r}: {where} is not a repository of the Hugging Face Hub, and "
                "only those have revisions; leave revision out"
            )
        return download_checkpoint(str(where), revision=revision)
    folder = Path(where)
    if not (folder / "config.json").is_file():
        if str(folder).lower() in list_shipped():
            return SHIPPED_SYSTEMS / str(folder).lower()  # without the slash that shells append
        if not folder.exists() and is_repository(where):
            return download_checkpoint(str(where))
    return folder


@keyword_aliases(
    {"checkpoint": "name", "model_name": "name", "path": "name"},
    name="risbook.load",
)
def load_system(
    name: str | Path,
    *,
    pretrained: bool = True,
    revision: str | None = None,
    device: str | torch.device | None = None,
    **fields: Any,
) -> System:
    """Load a model, ready to predict and to evaluate; `risbook.load` is this function.

    Args:
        name: a folder, the name of a shipped checkpoint, or "owner/name" on the Hugging Face Hub;
            an existing folder of that name is preferred. Without `pretrained`, the name of any
            system.
        pretrained: whether the trained weights are loaded. Without them, adapters and mask head
            have initial weights; the towers are the pretrained ones.
        revision: commit, branch or tag of a checkpoint on the Hub; None for the newest.
        device: where the model is moved to; None for the CPU.
        fields: fields of the configuration to change, by dotted name, for instance
            ``**{"bridger.dim": 32}``. The weights have to fit the changed configuration, or
            `pretrained` has to be false.

    Returns:
        The system in float32, in evaluation mode.

    Raises:
        DataError: if the folder is not a checkpoint, or its weights do not fit its configuration;
            the message names the entry.
        RisbookError: without `pretrained`, for an unknown system, an unknown or impossible field,
            or a tower whose weights are not available.
    """
    if pretrained:
        system = _read_checkpoint(find_checkpoint(name, revision=revision), fields)
    else:
        system = build_system(str(name), **fields)
    return system.to(device or "cpu").eval()


def _read_checkpoint(folder: Path, overrides: Mapping[str, Any]) -> System:
    values = _read_config(folder)
    preset = get_system_preset(values["system"])
    try:
        config = preset.change_config(preset.read_config(values.get("config")), overrides)
        is_whole = any(origin.get("inside") for origin in values["towers"].values())
        build = _build_on_meta if is_whole else build_named
        system = build(values["system"], config, BuildInputs(folder=folder))
    except RisbookError as error:
        raise DataError(f"{folder / 'config.json'}: {error}") from error
    path = folder / "model.safetensors"
    if not path.is_file():
        raise DataError(f"{path}: the weights are missing")
    state = read_weights(path)
    _note_saved_origins(folder / "config.json", values["towers"], system)
    _check_origins(folder / "config.json", values["towers"], system, state)
    system.about = values["about"]
    try:
        system.load_saved_state(state)
    except DataError as error:
        hint = "; pretrained=False makes the changed model without them" if overrides else ""
        raise DataError(f"{path}: does not fit its configuration; {error}{hint}") from error
    return system


def _build_on_meta(name: str, config: Any, inputs: BuildInputs) -> System:
    """A system without memory for weights: a whole checkpoint brings those of the towers, too.

    Initial values for a hundred million weights take longer than reading them.
    """
    tokenizer = tokenizer_of(config.text_tower, length=config.max_tokens)
    with torch.device("meta"):
        return build_named(name, config, replace(inputs, tokenizer=tokenizer))


def _note_saved_origins(path: Path, recorded: Mapping[str, Any], system: System) -> None:
    """Note the origin of the towers whose weights the checkpoint itself holds."""
    for part in system.weights_origins():
        if recorded.get(part, {}).get("inside"):
            try:
                origin = WeightsOrigin.from_dict(recorded[part])
            except TypeError as error:
                raise DataError(f"{path}: {part} has a source with unknown entries") from error
            set_weights_origin(system.get_submodule(part), origin)


def _check_origins(
    path: Path, recorded: Mapping[str, Any], system: System, state: Mapping[str, Tensor]
) -> None:
    """Refuse a checkpoint that was trained with towers other than those here."""
    for part, origin in system.weights_origins().items():
        if values := recorded.get(part, {}).get("values"):
            saved = [name.removeprefix(f"{part}.") for name in state if name.startswith(part)]
            if file_values_digest(system.get_submodule(part), without=saved) != values:
                raise DataError(
                    f"{path}: the frozen weights of its {part} are not those that are here "
                    f"({origin['source'] or 'random weights'}); the released file holds its own: "
                    "convert it with --whole (in Python whole=True)"
                )
            continue
        wanted = recorded.get(part, {}).get("sha256", "")
        if wanted != origin["sha256"]:
            raise DataError(
                f"{path}: was trained with another {part}: sha256 {wanted[:8] or 'none'} "
                f"({recorded.get(part, {}).get('source', 'unknown')}), but the one here has "
                f"{origin['sha256'][:8] or 'none'} ({origin['source'] or 'random weights'}); "
                "pretrained=False makes the model with that tower, untrained"
            )
