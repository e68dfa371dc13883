"""The systems by name. Adding one is an entry here beside the file of its composition.

`register_system` adds one from outside, for instance from a notebook: it can then be trained,
saved and loaded by its name.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from risbook.config import Aliases, from_values, with_overrides
from risbook.registry import Registry
from risbook.systems.etris import ETRISConfig, build_etris
from risbook.systems.etris_presets import ETRIS_CONFIGS
from risbook.systems.first_model import FirstModelConfig, build_first_model
from risbook.systems.old_checkpoints import OLD_FIRST_MODEL_KEYS, old_etris_keys
from risbook.systems.system import System

#: the checkpoints that come with the package
SHIPPED_SYSTEMS = Path(__file__).resolve().parent.parent / "checkpoints"


@dataclass(frozen=True)
class BuildInputs:
    """Inputs of a builder besides the configuration.

    Args:
        sentences: training expressions of a fresh system; one with its own vocabulary makes it
            from them.
        folder: a checkpoint that is being loaded, for files beside the weights.
        meta: whether the system is built for its shapes alone, under the meta device, on which no
            tensor has values. `save_pretrained` compares a system on two towers with these shapes.
    """

    sentences: Iterable[str] = ()
    folder: Path | None = None
    meta: bool = False


@dataclass(frozen=True)
class SystemPreset:
    """How a named system is made.

    Args:
        summary: one line for the command line's help.
        config: a configuration (see `risbook.config`) with the preset's sizes and choices.
        build: makes the system, with initial weights, of a configuration.
        old_keys: takes the values of a configuration and returns a table from old names of fields
            to today's, see `risbook.config.Aliases`.
    """

    summary: str
    config: Any
    build: Callable[[Any, BuildInputs], System]
    old_keys: Callable[[Mapping[str, Any]], Aliases] = lambda values: {}

    def change_config(self, config: Any, overrides: Mapping[str, Any]) -> Any:
        """A configuration of this system with some fields changed, see `with_overrides`."""
        return with_overrides(config, overrides, aliases=self.old_keys(overrides))

    def read_config(self, values: Any, *, where: str = "") -> Any:
        """A configuration of plain values, those of earlier versions included, see `from_values`.

        Raises:
            RisbookError: names the field that is unknown or impossible.
        """
        aliases = self.old_keys(values) if isinstance(values, Mapping) else None
        return from_values(type(self.config), values, where=where, aliases=aliases)


def _first_model(config: FirstModelConfig, inputs: BuildInputs) -> System:
    # for shapes, the vocabulary of the shipped checkpoint stands in for that of the data
    folder = SHIPPED_SYSTEMS / "first-model" if inputs.meta else inputs.folder
    return build_first_model(config, sentences=inputs.sentences, folder=folder)


def _etris(name: str, config: ETRISConfig, inputs: BuildInputs) -> System:
    return build_etris(config, name=name, meta=inputs.meta)


SYSTEMS: Registry[SystemPreset] = Registry(
    "system",
    {
        "first-model": SystemPreset(
            summary="a convolutional network and a GRU from scratch, fused by concatenation",
            config=FirstModelConfig(),
            build=_first_model,
            old_keys=lambda values: OLD_FIRST_MODEL_KEYS,
        ),
        **{
            name: SystemPreset(summary, config, partial(_etris, name), old_etris_keys)
            for name, (summary, config) in ETRIS_CONFIGS.items()
        },
    },
)


def register_system(name: str, preset: SystemPreset) -> None:
    """Add a system, or replace one, under a name."""
    SYSTEMS[name] = preset


def get_system_preset(name: str) -> SystemPreset:
    """Look a preset up.

    Raises:
        ArgumentError: if there is none of that name; the message lists those there are.
    """
    return SYSTEMS.lookup(name)


def system_config(name: str, overrides: Mapping[str, Any] | None = None) -> Any:
    """A preset's configuration, with some fields changed.

    Args:
        name: a preset's name.
        overrides: values by dotted name, for instance ``{"bridger.dim": 32}``.

    Raises:
        RisbookError: for an unknown preset or field, or an impossible value.
    """
    preset = get_system_preset(name)
    return preset.change_config(preset.config, overrides or {})


def list_models() -> dict[str, str]:
    """Names of all systems with a line on each; those with a shipped checkpoint say so."""
    return {
        name: preset.summary
        + (", shipped" if (SHIPPED_SYSTEMS / name / "config.json").is_file() else "")
        for name, preset in SYSTEMS.items()
    }


def build_system(
    name: str,
    *,
    sentences: Iterable[str] = (),
    overrides: Mapping[str, Any] | None = None,
    **fields: Any,
) -> System:
    """Make a system with initial weights: random ones outside of pretrained towers.

    Args:
        name: a preset's name.
        sentences: the training expressions, for a system with its own vocabulary; without them it
            has that of its shipped checkpoint.
        overrides: fields of the preset's configuration to change, by dotted name.
        fields: the same as keywords, for instance ``image_tower="dinov2-mini"``.

    Raises:
        RisbookError: for an unknown preset or field, or an impossible value.

    >>> build_system("first-model", sentences=["left dog"]).image_size
    96
    """
    config = system_config(name, {**(overrides or {}), **fields})
    folder = None
    if not sentences and (SHIPPED_SYSTEMS / name / "tokenizer.json").is_file():
        folder = SHIPPED_SYSTEMS / name
    return get_system_preset(name).build(config, BuildInputs(sentences=sentences, folder=folder))


def build_meta_system(name: str, overrides: Mapping[str, Any] | None = None) -> System:
    """A system of shapes only: no memory for weights, none read, no network.

    A small text tower reads its shipped vocabulary, whose size is one of its shapes.

    Args:
        name: a preset's name.
        overrides: as in `build_system`.
    """
    config = system_config(name, overrides)
    with torch.device("meta"):
        return get_system_preset(name).build(config, BuildInputs(meta=True))
