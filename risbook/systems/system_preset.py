"""What a preset of a system is: a configuration and the function that builds a system of it.

This function, the builder, is called with a configuration and `BuildInputs`. Under the meta device
it makes shapes alone: it reads no weights and needs no tokenizer.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from risbook.config import Aliases, from_values, with_overrides
from risbook.systems.released_code import ReleasedCode
from risbook.systems.system import System
from risbook.tokenizers.interface import Tokenizer
from risbook.towers.stages import StagedImageTower, StagedTextTower


@dataclass(frozen=True, kw_only=True)
class BuildInputs:
    """Inputs of a builder besides the configuration; a builder ignores those that it does not need.

    Args:
        sentences: training expressions; a system with its own vocabulary makes it from them.
        folder: a checkpoint whose vocabulary is read instead.
        image_tower: takes the place of the one that the configuration names.
        text_tower: takes the place of the configuration's text tower.
        tokenizer: takes the place of the text tower's.
    """

    sentences: Iterable[str] = ()
    folder: Path | None = None
    image_tower: StagedImageTower | None = None
    text_tower: StagedTextTower | None = None
    tokenizer: Tokenizer | None = None


NO_INPUTS = BuildInputs()


@dataclass(frozen=True)
class SystemPreset:
    """How a named system is made.

    Args:
        summary: one line for the command line's help.
        config: a configuration (see `risbook.config`) with the preset's sizes and choices.
        build: makes the system, with initial weights, of a configuration.
        old_keys: takes the values of a configuration and returns a table from old names of fields
            to today's, see `risbook.config.Aliases`.
        released: the authors' code, whose checkpoints are read; None if there is none.
    """

    summary: str
    config: Any
    build: Callable[[Any, BuildInputs], System]
    old_keys: Callable[[Mapping[str, Any]], Aliases] = lambda values: {}
    released: ReleasedCode | None = None

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
