"""The systems by name. Adding one is an entry here beside the file of its composition.

`register_system` adds one from outside, for instance from a notebook: it can then be trained,
saved and loaded by its name.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from risbook.registry import Registry
from risbook.systems.detris.detris_presets import DETRIS_PRESETS
from risbook.systems.etris.etris_presets import ETRIS_PRESETS
from risbook.systems.first_model import FirstModelConfig, build_first_model
from risbook.systems.mica.mica_presets import MICA_PRESETS
from risbook.systems.old_checkpoints import OLD_FIRST_MODEL_KEYS
from risbook.systems.system import System
from risbook.systems.system_preset import NO_INPUTS, BuildInputs, SystemPreset

#: the checkpoints that come with the package
SHIPPED_SYSTEMS = Path(__file__).resolve().parent.parent / "checkpoints"

SYSTEMS: Registry[SystemPreset] = Registry(
    "system",
    {
        "first-model": SystemPreset(
            summary="a convolutional network and a GRU from scratch, fused by concatenation",
            config=FirstModelConfig(),
            build=build_first_model,
            old_keys=lambda values: OLD_FIRST_MODEL_KEYS,
        ),
        **ETRIS_PRESETS,
        **DETRIS_PRESETS,
        **MICA_PRESETS,
    },
)


def register_system(name: str, preset: SystemPreset) -> None:
    """Add a system, or replace one, under a name."""
    SYSTEMS[name] = preset


def get_system_preset(name: str) -> SystemPreset:
    """Look a preset up.

    Raises:
        ArgumentError: if no preset has this name; the message lists the names of all presets.
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


def build_named(name: str, config: Any, inputs: BuildInputs = NO_INPUTS) -> System:
    """Call a preset's builder, and give the system the preset's name.

    A builder does not know the name, because several presets share it.
    """
    system = get_system_preset(name).build(config, inputs)
    system.name = name
    return system


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
    return build_named(name, config, BuildInputs(sentences=sentences, folder=folder))


def build_meta_system(name: str, overrides: Mapping[str, Any] | None = None) -> System:
    """A system of shapes only: no memory for weights, none read, no network.

    A small text tower reads its shipped vocabulary, whose size is one of its shapes.

    Args:
        name: a preset's name.
        overrides: as in `build_system`.
    """
    with torch.device("meta"):
        return build_system(name, overrides=overrides)
