"""The systems by name. Adding one is an entry here beside the file of its composition."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from risbook.errors import RisbookError
from risbook.systems.etris import CONFIGS as ETRIS_CONFIGS
from risbook.systems.etris import ETRIS, ETRISConfig
from risbook.systems.first_model import FirstModel, FirstModelConfig
from risbook.systems.system import NoTokenizer, System
from risbook.towers.word_tokenizer import WordTokenizer

ConfigT = TypeVar("ConfigT", FirstModelConfig, ETRISConfig)

#: the checkpoints that come with the package
SHIPPED = Path(__file__).resolve().parent.parent / "checkpoints"


@dataclass(frozen=True)
class Preset:
    """How a named system is made.

    Args:
        summary: one line for the command line's help.
        build: makes a fresh system from the training sentences and changes to its configuration.
        restore: makes the system of a checkpoint folder, weights not yet loaded, from the
            configuration that lies in it.
        outline: makes the system for its shapes alone, under the meta device, from changes to its
            configuration.
    """

    summary: str
    build: Callable[[Iterable[str], Mapping[str, Any]], System]
    restore: Callable[[Mapping[str, Any], Path], System]
    outline: Callable[[Mapping[str, Any]], System]


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no tuples; configurations have no lists."""
    return {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}


def _changed(config: ConfigT, changes: Mapping[str, Any]) -> ConfigT:
    """The configuration with some fields changed.

    Raises:
        RisbookError: for a field that it does not have.
    """
    known = [entry.name for entry in fields(config)]
    if unknown := [name for name in changes if name not in known]:
        raise RisbookError(
            f"the configuration has no {unknown[0]!r} to change; it has {', '.join(known)}"
        )
    return replace(config, **_tuples(changes))


def _build_first(sentences: Iterable[str], changes: Mapping[str, Any]) -> System:
    config = _changed(FirstModelConfig(), changes)
    tokenizer = WordTokenizer.from_sentences(sentences, length=config.word_length)
    return FirstModel(config=config, tokenizer=tokenizer)


def _restore_first(values: Mapping[str, Any], folder: Path) -> System:
    config = FirstModelConfig(**_tuples(values))
    tokenizer = WordTokenizer.from_file(folder / "tokenizer.json", length=config.word_length)
    return FirstModel(config=config, tokenizer=tokenizer)


def _outline_first(changes: Mapping[str, Any]) -> System:
    # the vocabulary comes from the training sentences; that of the shipped checkpoint stands in
    path = SHIPPED / "first-model" / "tokenizer.json"
    config = _changed(FirstModelConfig(), changes)
    return FirstModel(
        config=config, tokenizer=WordTokenizer.from_file(path, length=config.word_length)
    )


def _outline_etris(name: str, changes: Mapping[str, Any]) -> System:
    config = _changed(ETRIS_CONFIGS[name], {**changes, "weights": "random"})
    return ETRIS(config=config, name=name, tokenizer=NoTokenizer(config.word_length))


def _build_etris(name: str, sentences: Iterable[str], changes: Mapping[str, Any]) -> System:
    return ETRIS(config=_changed(ETRIS_CONFIGS[name], changes), name=name)


def _restore_etris(name: str, values: Mapping[str, Any], folder: Path) -> System:
    return ETRIS(config=ETRISConfig(**_tuples(values)), name=name)


def _etris(name: str, summary: str) -> Preset:
    return Preset(
        summary,
        build=partial(_build_etris, name),
        restore=partial(_restore_etris, name),
        outline=partial(_outline_etris, name),
    )


PRESETS: dict[str, Preset] = {
    "first-model": Preset(
        summary="convolutions and a GRU from scratch, fused by concatenation",
        build=_build_first,
        restore=_restore_first,
        outline=_outline_first,
    ),
    "etris-mini": _etris("etris-mini", "ETRIS on the small CLIP pair"),
    "etris-mini-rn": _etris("etris-mini-rn", "ETRIS on the small CLIP ResNet"),
    "etris-rn50": _etris("etris-rn50", "ETRIS as released, CLIP RN50, 416 pixels"),
    "etris-rn101": _etris("etris-rn101", "ETRIS as released, CLIP RN101, 416 pixels"),
    "etris-vitb16": _etris("etris-vitb16", "ETRIS as released, CLIP ViT-B/16, 416 pixels"),
}


def preset(name: str) -> Preset:
    """Look a preset up.

    Raises:
        RisbookError: if there is none of that name; the message lists those there are.
    """
    if name not in PRESETS:
        raise RisbookError(f"no system is called '{name}'; there are: {', '.join(PRESETS)}")
    return PRESETS[name]


def build_system(
    name: str, *, sentences: Iterable[str], changes: Mapping[str, Any] | None = None
) -> System:
    """Make a fresh system.

    Args:
        name: a preset's name.
        sentences: the training expressions; a system that has its own vocabulary takes it
            from them.
        changes: fields of the preset's configuration to change, for instance
            ``{"image_size": 256}``.

    Raises:
        RisbookError: for an unknown preset or field, or a value that cannot be.

    >>> build_system("first-model", sentences=["left dog"]).image_size
    96
    """
    return preset(name).build(sentences, changes or {})
