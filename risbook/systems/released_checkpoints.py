"""Checkpoints that the authors' code wrote: read as they are, or converted to one of risbook.

The released trainings write ``best_model.pth`` and ``last_model.pth`` (``train.py`` of
kkakkkka/ETRIS and jiaqihuang01/DETRIS): a dictionary whose "state_dict" holds the whole model, both
towers included, under names that begin with "module.". `SystemPreset.released` knows the names of
a system's released code. Only names and tensors are read; nothing in a file is run.

Which preset a file is of follows from the names and shapes of its entries, all of which have to
fit.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from risbook.errors import ArgumentError, DataError, RisbookError
from risbook.systems.checkpoints import write_checkpoint
from risbook.systems.mismatch import count_mismatches, first_mismatch
from risbook.systems.part_names import tower_attribute
from risbook.systems.peft_system import PEFTSystem
from risbook.systems.released_code import ReleasedCode
from risbook.systems.released_names import drop_module_prefix
from risbook.systems.system_preset import BuildInputs
from risbook.systems.system_presets import (
    SYSTEMS,
    build_meta_system,
    build_named,
    get_system_preset,
)
from risbook.systems.system_towers import PEFTSystemConfig, frozen_file_weights
from risbook.tokenizers.interface import Tokenizer
from risbook.towers.build import tokenizer_of
from risbook.towers.presets import get_tower_preset
from risbook.towers.weights.lookup import FOLDER_VARIABLE
from risbook.towers.weights.origin import WeightsOrigin, set_weights_origin, values_digest
from risbook.towers.weights.tensor_files import file_digest, read_weights


@dataclass(frozen=True)
class ReleasedCheckpoint:
    """A file of the authors' code: read, recognised, and checked entry by entry.

    Args:
        path: the file.
        name: the preset that it was trained as.
        config: the preset's configuration, with the length of its sentences.
        code: the authors' code.
        data: the data set that it was trained on, as that code names it; None if unknown.
        state: its entries under our names. The tensors lie in the file until they are computed
            with.
        meta_system: the system of this configuration, without memory for weights.
        origin: the file's name and digest.
    """

    path: Path
    name: str
    config: PEFTSystemConfig
    code: ReleasedCode
    data: str | None
    state: Mapping[str, Tensor]
    meta_system: PEFTSystem
    origin: WeightsOrigin

    @property
    def about(self) -> dict[str, Any]:
        """What the checkpoint of such a system tells of its origin, see `System.about`."""
        released = {
            "code": self.code.repository,
            "file": self.path.name,
            "sha256": self.origin.sha256,
            "data": self.data,
        }
        return {"license": self.code.license, "released": released}

    def build(self, tokenizer: Tokenizer | None = None) -> PEFTSystem:
        """The system with the file's weights, as `load_released` returns it.

        Raises:
            RisbookError: if there is no tokenizer, or its sentences have another length.
        """
        if tokenizer is None:
            tokenizer = _find_tokenizer(self.name, self.config)
        elif tokenizer.length != self.config.max_tokens:
            raise ArgumentError(
                f"the tokenizer makes {tokenizer.length} tokens per sentence; {self.name} of this "
                f"file has {self.config.max_tokens}: give a tokenizer of that length, the data set "
                "that the file was trained on, or max_tokens"
            )
        with torch.device("meta"):
            system = build_named(self.name, self.config, BuildInputs(tokenizer=tokenizer))
        assert isinstance(system, PEFTSystem)
        tensors = {name: value.clone() for name, value in self._tensors().items()}
        system.load_state_dict(tensors, assign=True)
        for tower in system.towers.values():
            tower.init_buffers()
            set_weights_origin(tower, self.origin)
        system.about = self.about
        return system.eval()

    def write(self, folder: Path, *, whole: bool, results: Sequence[Mapping[str, Any]]) -> None:
        """Write a checkpoint, as `convert_released` does.

        Raises:
            ArgumentError: if the file holds frozen weights in 16 bit that are to be left out.
        """
        tensors, config = self._tensors(), self.config
        origins: dict[str, WeightsOrigin] = {}
        if whole:
            origins = {tower_attribute(m): self.origin for m in self.meta_system.towers}
        else:
            config = replace(config, weights="auto")
            for modality, tower in self.meta_system.towers.items():
                part = tower_attribute(modality)
                name = config.image_tower if modality == "image" else config.text_tower
                left_out = {n: tensors.pop(f"{part}.{n}") for n in frozen_file_weights(tower, name)}
                self._check_float32(part, left_out)
                preset = get_tower_preset(name)
                origins[part] = WeightsOrigin(
                    "published" if preset.is_published else "risbook",
                    preset.published_name or name,
                    preset.sha256,
                    values=values_digest(left_out),
                )
        with torch.device("meta"):
            system = build_named(self.name, config)
        reported = {"results": list(results)} if results else {}
        system.about = self.about | reported
        write_checkpoint(
            system,
            folder,
            tensors,
            origins={part: origin.as_dict() for part, origin in origins.items()},
        )

    def _check_float32(self, part: str, names: Iterable[str]) -> None:
        """Refuse frozen weights that were rounded: they are not those of the published file."""
        for name in names:
            dtype = self.state[f"{part}.{name}"].dtype
            if dtype in (torch.float16, torch.bfloat16):
                raise ArgumentError(
                    f"{self.path}: holds the {part} in {str(dtype).removeprefix('torch.')}, so its "
                    "frozen weights are not those of the published file: add --whole (in Python "
                    "whole=True)"
                )

    def _tensors(self) -> dict[str, Tensor]:
        """The entries in the types of the system; plain state dicts may be in 16 bit."""
        wanted = self.meta_system.state_dict()
        return {name: value.to(wanted[name].dtype) for name, value in self.state.items()}


def read_released(
    path: str | Path,
    name: str | None = None,
    *,
    data: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> ReleasedCheckpoint:
    """Read a checkpoint that the released training wrote, and recognise what it is.

    Args:
        path: the ``.pth`` file; a plain state dict is accepted, too.
        name: the preset that it was trained as, for instance "detris-b"; None to recognise it.
        data: the data set that it was trained on, as the released code names it, for instance
            "refcocog_u"; None for what the file's name tells. It decides `max_tokens`.
        overrides: fields of the preset's configuration to change, where the file was trained with
            others.

    Raises:
        DataError: if it is not such a file, or an entry is missing, surplus or of another shape;
            the message names the entry, or the preset that fits instead.
        RisbookError: for an unknown preset, field or data set, or if the length of its sentences is
            unknown; the message says what to do.
    """
    path, overrides = Path(path), dict(overrides or {})
    if name:
        code = _code_of(name)
        _build_meta(name, overrides)  # mistakes are told before the file is read
        if path.is_file():
            code.find_data(path, data, overrides)
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    released = drop_module_prefix(read_weights(path))
    code, state = _rename(path, released, [_code_of(name)] if name else _all_codes())
    data = code.find_data(path, data, overrides)
    if data:
        overrides.setdefault("max_tokens", code.max_tokens[data])
    name, system = _recognise(path, state, released, code, name, overrides)
    origin = WeightsOrigin("published", path.name, file_digest(path), inside=True)
    return ReleasedCheckpoint(path, name, system.config, code, data, state, system, origin)


def load_released(
    path: str | Path,
    name: str | None = None,
    *,
    data: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    tokenizer: Tokenizer | None = None,
) -> PEFTSystem:
    """Read a checkpoint that the released training wrote.

    Args:
        path: as in `read_released`, and so are the next three.
        name: None to recognise the preset.
        data: None for what the file's name tells.
        overrides: changed fields.
        tokenizer: replaces CLIP's, which the file does not hold.

    Returns:
        The system in float32, on the CPU, in evaluation mode; both towers come from the
        file, and a checkpoint of the system holds them.

    Raises:
        RisbookError: as `read_released`, or if there is no tokenizer, or one whose sentences have
            another length; the message says what to do.
    """
    return read_released(path, name, data=data, overrides=overrides).build(tokenizer)


def convert_released(
    path: str | Path,
    folder: str | Path,
    name: str | None = None,
    *,
    data: str | None = None,
    whole: bool = False,
    overrides: Mapping[str, Any] | None = None,
    find_results: Callable[[str, str | None], Sequence[Mapping[str, Any]]] | None = None,
) -> ReleasedCheckpoint:
    """Convert a checkpoint of the released training to one of risbook, which `load_system` reads.

    Needs neither a network nor a tokenizer. To load the folder, CLIP's tokenizer is needed, and
    without `whole` the towers' published files as well. What those files do not hold, or what a
    training changes, is written in any case: adapters, mask head, statistics of batch norms.

    Args:
        path: as in `read_released`.
        folder: created if it does not exist.
        name: as in `read_released`, and so are `data` and `overrides`.
        data: None for what the file's name tells.
        whole: whether the frozen weights of the towers are written, too. Without them the folder
            names their files and holds a digest of their values, which loading compares.
        overrides: changed fields.
        find_results: a function of the preset and the data set that returns what the authors
            report of this model, for the card; see `risbook.ledger.reported_results`.

    Returns:
        What the file is.

    Raises:
        RisbookError: as `read_released`, or if the folder already holds a checkpoint or a run.
    """
    folder = Path(folder)
    if any((folder / file).exists() for file in ("config.json", "training.json")):
        raise ArgumentError(f"{folder} already holds a checkpoint or a run; name another folder")
    checkpoint = read_released(path, name, data=data, overrides=overrides)
    results = find_results(checkpoint.name, checkpoint.data) if find_results else ()
    checkpoint.write(folder, whole=whole, results=results)
    return checkpoint


def _code_of(name: str) -> ReleasedCode:
    code = get_system_preset(name).released
    if code is None:
        names = ", ".join(other for other, preset in SYSTEMS.items() if preset.released)
        raise ArgumentError(f"no released files are read as {name}; they are as {names}")
    return code


def _all_codes() -> list[ReleasedCode]:
    codes: list[ReleasedCode] = []
    for preset in SYSTEMS.values():
        if preset.released is not None and preset.released not in codes:
            codes.append(preset.released)
    return codes


def _rename(
    path: Path, released: Mapping[str, Tensor], codes: Sequence[ReleasedCode]
) -> tuple[ReleasedCode, dict[str, Tensor]]:
    """The code whose names a file has, and its entries under our names.

    Raises:
        DataError: names, for each code, the entry that it does not know.
    """
    mistakes = []
    for code in codes:
        try:
            return code, code.rename(released)
        except DataError as error:
            mistakes.append(f"not a checkpoint of {code.repository} ({error})")
    raise DataError(f"{path}: {', and '.join(mistakes)}")


def _recognise(
    path: Path,
    state: Mapping[str, Tensor],
    released: Mapping[str, Tensor],
    code: ReleasedCode,
    name: str | None,
    overrides: Mapping[str, Any],
) -> tuple[str, PEFTSystem]:
    """The preset that a file is of, and its system without memory.

    Args:
        path: the file, for messages.
        state: its entries under our names.
        released: the same under their own.
        code: the authors' code.
        name: the preset that the caller named, None for none.
        overrides: changed fields of the configuration.

    Raises:
        DataError: if the file does not fit the named preset, or any at all.
    """
    # the preset that was named comes first; of two that fit, the first is taken
    presets = [other for other, preset in SYSTEMS.items() if preset.released is code]
    presets.sort(key=lambda other: other != name)
    misfits: dict[str, int] = {}
    systems: dict[str, PEFTSystem] = {}
    for other in presets:
        with suppress(RisbookError):  # this preset may not allow the overrides
            systems[other] = _build_meta(other, overrides)
            misfits[other] = count_mismatches(state, systems[other].state_dict())
        if misfits.get(other) == 0:
            break
    fitting = min(misfits, key=misfits.__getitem__, default=None)
    if fitting and misfits[fitting] == 0:
        if name in (None, fitting):
            return fitting, systems[fitting]
        raise DataError(f"{path}: is a checkpoint of {fitting}, not of {name}; name that, or none")
    closest = name or fitting or presets[0]
    if closest not in systems:
        systems[closest] = _build_meta(closest, overrides)  # raises what it raised above
    expected = systems[closest].state_dict()
    misfit = first_mismatch(state, expected, expected, sources=_sources(state, released))
    among = "" if name else f" nor any other of {', '.join(presets)}"
    raise DataError(f"{path}: does not fit {closest}{among}: {misfit}")


def _sources(state: Mapping[str, Tensor], released: Mapping[str, Tensor]) -> dict[str, str]:
    """Our names -> those in the file, of entries that were only renamed."""
    names = {id(value): published for published, value in released.items()}
    return {ours: names[id(value)] for ours, value in state.items() if id(value) in names}


def _build_meta(name: str, overrides: Mapping[str, Any]) -> PEFTSystem:
    """The system's configuration and shapes, without memory for its weights.

    Raises:
        RisbookError: if an override is impossible.
    """
    # the file holds all weights
    system = build_meta_system(name, {**overrides, "weights": "random"})
    assert isinstance(system, PEFTSystem)
    return system


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
