"""Checkpoints that the authors' code wrote: read as they are, or converted to one of risbook.

The released trainings write ``best_model.pth`` and ``last_model.pth`` (``train.py`` of
kkakkkka/ETRIS and jiaqihuang01/DETRIS): a dictionary whose "state_dict" holds the whole model, both
towers included, under names that begin with "module.". `SystemPreset.rename_released` knows the
names of a system's released code. Only names and tensors are read; nothing in a file is run.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import Tensor

from risbook.errors import ArgumentError, DataError, RisbookError
from risbook.systems.checkpoints import save_system
from risbook.systems.mismatch import first_mismatch
from risbook.systems.part_names import tower_attribute
from risbook.systems.peft_system import PEFTSystem
from risbook.systems.system_preset import BuildInputs
from risbook.systems.system_presets import (
    SYSTEMS,
    build_meta_system,
    build_named,
    get_system_preset,
)
from risbook.systems.system_towers import PEFTSystemConfig
from risbook.tokenizers.interface import ShapeOnlyTokenizer, Tokenizer
from risbook.towers.build import tokenizer_of
from risbook.towers.stages import MODALITIES
from risbook.towers.weights.lookup import FOLDER_VARIABLE
from risbook.towers.weights.origin import WeightsOrigin, set_weights_origin
from risbook.towers.weights.tensor_files import file_digest, read_weights


def load_released(
    path: str | Path,
    name: str,
    *,
    overrides: Mapping[str, Any] | None = None,
    tokenizer: Tokenizer | None = None,
) -> PEFTSystem:
    """Read a checkpoint that the released training wrote.

    Args:
        path: the ``.pth`` file; a plain state dict is accepted, too.
        name: the preset that it was trained as: "etris-rn50", "etris-rn101", "etris-vitb16",
            "detris-b", "detris-l" or "detris-l-mixed".
        overrides: fields of the preset's configuration to change, where the file was trained with
            others. The file does not hold its `max_tokens`: 17 for RefCOCO and RefCOCO+, 22 for
            RefCOCOg.
        tokenizer: replaces CLIP's, which the file does not hold.

    Returns:
        The system in float32, on the CPU, in evaluation mode; both towers come from the
        file, and a checkpoint of the system holds them.

    Raises:
        DataError: if it is not such a file, or has another backbone or other sizes; the message
            names the preset that fits, or the entry that does not.
        RisbookError: for an unknown preset or field, or if there is no tokenizer; the message
            says what to do.
    """
    config, state = _read_state(Path(path), name, overrides or {})
    system, _ = _build(name, config, state, Path(path), tokenizer or _find_tokenizer(name, config))
    return system


def convert_released(
    path: str | Path, name: str, folder: Path, *, overrides: Mapping[str, Any] | None = None
) -> WeightsOrigin:
    """Convert a checkpoint of the released training to one of risbook.

    Needs neither a network nor a tokenizer; loading the folder needs CLIP's tokenizer.

    Args:
        path: as in `load_released`.
        name: as in `load_released`.
        folder: created if it does not exist; `risbook.systems.load_system` reads it.
        overrides: as in `load_released`.

    Returns:
        The file's name and digest, as ``config.json`` holds them.

    Raises:
        DataError: as `load_released`.
        RisbookError: for an unknown preset or field, or a folder that already holds a checkpoint
            or a run.
    """
    if any((folder / file).exists() for file in ("config.json", "training.json")):
        raise ArgumentError(f"{folder} already holds a checkpoint or a run; name another folder")
    config, state = _read_state(Path(path), name, overrides or {})
    stand_in = ShapeOnlyTokenizer(config.max_tokens)  # no sentence is encoded here
    system, origin = _build(name, config, state, Path(path), stand_in)
    save_system(system, folder)
    return origin


def _build(
    name: str,
    config: PEFTSystemConfig,
    state: Mapping[str, Tensor],
    path: Path,
    tokenizer: Tokenizer,
) -> tuple[PEFTSystem, WeightsOrigin]:
    """A system with a file's entries, and where they come from, which its towers note."""
    system = build_named(name, config, BuildInputs(tokenizer=tokenizer))
    assert isinstance(system, PEFTSystem)
    system.load_state_dict(state)
    origin = WeightsOrigin("published", path.name, file_digest(path), inside=True)
    for tower in system.towers.values():
        set_weights_origin(tower, origin)
    system.eval()
    return system, origin


def _read_state(
    path: Path, name: str, overrides: Mapping[str, Any]
) -> tuple[PEFTSystemConfig, dict[str, Tensor]]:
    """The configuration, and the file's entries under our own names.

    All names and shapes are checked. Shapes are compared on the meta device, so a wrong file costs
    no memory.
    """
    rename = get_system_preset(name).rename_released
    if rename is None:
        names = ", ".join(other for other, preset in SYSTEMS.items() if preset.rename_released)
        raise ArgumentError(f"no released files are read as {name}; they are as {names}")
    wanted = _meta_system(name, overrides)
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    released = read_weights(path)
    try:
        state = rename(released)
    except DataError as error:
        raise DataError(
            f"{path}: not a checkpoint of the released {type(wanted).__name__}; {error}"
        ) from error
    if misfit := first_mismatch(state, wanted.state_dict(), wanted.state_dict()):
        same_code = [other for other, preset in SYSTEMS.items() if preset.rename_released is rename]
        fitting = [other for other in same_code if _has_towers_of(state, other, overrides)]
        if fitting and name not in fitting:
            raise DataError(
                f"{path}: its towers are those of {' or '.join(fitting)}, not of {name}; name "
                "that preset"
            )
        raise DataError(f"{path}: does not fit {name}: {misfit}")
    return wanted.config, state


def _meta_system(name: str, overrides: Mapping[str, Any]) -> PEFTSystem:
    """The system's configuration and shapes, without memory for its weights.

    Raises:
        RisbookError: if an override is impossible.
    """
    # the file holds all weights
    system = build_meta_system(name, {**overrides, "weights": "random"})
    assert isinstance(system, PEFTSystem)
    return system


def _towers_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries of both towers."""
    prefixes = tuple(f"{tower_attribute(modality)}." for modality in MODALITIES)
    return {entry: value for entry, value in state.items() if entry.startswith(prefixes)}


def _has_towers_of(state: Mapping[str, Tensor], name: str, overrides: Mapping[str, Any]) -> bool:
    """Whether a preset's towers have the names and shapes of a file's."""
    with suppress(RisbookError):  # this preset may not allow the overrides
        expected = _towers_of(_meta_system(name, overrides).state_dict())
        return not first_mismatch(_towers_of(state), expected, expected)
    return False


def _find_tokenizer(name: str, config: PEFTSystemConfig) -> Tokenizer:
    try:
        return tokenizer_of(config.text_tower, length=config.max_tokens)
    except DataError:
        raise  # the tokenizer exists and is damaged
    except RisbookError as error:
        pair = config.text_tower.removesuffix("-text")
        raise RisbookError(
            f"{name} needs CLIP's tokenizer, which is neither in the file nor on this machine and "
            "could not be downloaded; connect to the network once, point "
            f"{FOLDER_VARIABLE} to a folder that holds {pair}/tokenizer.json, or pass one as "
            "tokenizer=, for instance CLIPTokenizer.from_vocabulary of the released code's "
            "bpe_simple_vocab_16e6.txt.gz"
        ) from error
