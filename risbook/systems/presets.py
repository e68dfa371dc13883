"""The systems by name. Adding one is an entry here beside the file of its composition."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from risbook.errors import RisbookError
from risbook.systems.first_model import FirstModel, FirstModelConfig
from risbook.systems.system import System
from risbook.towers.words import WordTokenizer


@dataclass(frozen=True)
class Preset:
    """How a named system is made.

    Args:
        summary: one line for the command line's help.
        build: makes a fresh system from the training sentences and changes to its configuration.
        restore: makes the system of a checkpoint folder, weights not yet loaded, from the
            configuration that lies in it.
    """

    summary: str
    build: Callable[[Iterable[str], Mapping[str, Any]], System]
    restore: Callable[[Mapping[str, Any], Path], System]


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no tuples; configurations have no lists."""
    return {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}


def _build_first(sentences: Iterable[str], changes: Mapping[str, Any]) -> System:
    config = replace(FirstModelConfig(), **_tuples(changes))
    tokenizer = WordTokenizer.from_sentences(sentences, length=config.word_length)
    return FirstModel(config=config, tokenizer=tokenizer)


def _restore_first(values: Mapping[str, Any], folder: Path) -> System:
    config = FirstModelConfig(**_tuples(values))
    tokenizer = WordTokenizer.from_file(folder / "tokenizer.json", length=config.word_length)
    return FirstModel(config=config, tokenizer=tokenizer)


PRESETS: dict[str, Preset] = {
    "first-model": Preset(
        summary="convolutions and a GRU from scratch, fused by concatenation",
        build=_build_first,
        restore=_restore_first,
    ),
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
        RisbookError: for an unknown preset or field.

    >>> build_system("first-model", sentences=["left dog"]).image_size
    96
    """
    try:
        return preset(name).build(sentences, changes or {})
    except TypeError as error:
        raise RisbookError(f"{name}: {error}") from error
