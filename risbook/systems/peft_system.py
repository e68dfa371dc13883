"""The base of systems on two pretrained towers: which parameters are tuned and which are saved.

The towers are frozen; adapters and mask head are trained. As released, the position embeddings are
tuned as well, and a ResNet's batch norms follow the statistics of the batches.

A checkpoint holds all tensors that cannot be read again from the towers' published or shipped
files: those that such a file does not have, and those whose values differ from it. The digest of
the file is noted. So an adapter is saved whenever it was added, frozen or not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from torch import Tensor, nn

from risbook.adapters.peft.applied_peft import (
    adapter_parameters,
    applied_peft,
    unnamed_adapters,
)
from risbook.adapters.peft.peft_config import PEFTConfig
from risbook.adapters.peft.two_towers import TOWER_SIDES, TowerSide
from risbook.config import configuration
from risbook.errors import ArgumentError, RisbookError
from risbook.systems.system import System
from risbook.systems.system_towers import prepare_tower
from risbook.systems.tokenizer import Tokenizer
from risbook.towers.stages import StagedImageTower, StagedTextTower, StagedTower
from risbook.towers.weights.origin import came_from_file, weights_origin


@configuration
class PEFTSystemConfig:
    """The base class of the configurations of `PEFTSystem`s, with the fields that it reads itself.

    Args:
        train_pos_embed: whether the towers' position embeddings are tuned.
        image_peft: a generic method inside the image tower.
        text_peft: the same for the text tower.
    """

    train_pos_embed: bool = False
    image_peft: PEFTConfig = PEFTConfig()
    text_peft: PEFTConfig = PEFTConfig()


class PEFTSystem(System):
    """Base class of the systems with adapters between or inside two frozen towers.

    Args:
        image_tower: a tower whose parameters are tuned or frozen, as `prepare_towers` or the caller
            set them.
        text_tower: the same.
        config: the choices; a `PEFTSystemConfig`, so that it can name the method of each tower.
        name: the preset's name.
        image_size: side S of the letterboxed input, pixels.
        tokenizer: the text tower's.

    Raises:
        ArgumentError: if the configuration is none of this kind.
    """

    owns_tokenizer = False
    backbone_parts: ClassVar[tuple[str, ...]] = (
        "image tower",
        "text tower",
        "image adapters",
        "text adapters",
    )
    #: whether the constructor itself adds adapters or prompts to the towers; those of other systems
    #: have to come from a method, which a checkpoint can name
    builds_adapters: ClassVar[bool] = False
    image_tower: StagedImageTower
    text_tower: StagedTextTower

    def __init__(
        self,
        image_tower: StagedImageTower,
        text_tower: StagedTextTower,
        *,
        config: PEFTSystemConfig,
        name: str,
        image_size: int,
        tokenizer: Tokenizer,
    ) -> None:
        super().__init__(config, name=name, image_size=image_size, tokenizer=tokenizer)
        self.image_tower = image_tower
        self.text_tower = text_tower
        #: names that every checkpoint of this configuration holds, trained or not
        self._required_tuned = _tuned_names(self)

    @property
    def config(self) -> Any:
        """The choices that build the system again, with the methods that the towers have now.

        The towers note their methods, because a method can also be applied to a tower alone. So
        `image_peft` and `text_peft` are read from the towers, and only the other fields are those
        that were set.
        """
        peft_configs: dict[str, Any] = {}
        for side in TOWER_SIDES:
            applied = applied_peft(self.towers[f"{side}_tower"])
            peft_configs[f"{side}_peft"] = applied[0] if applied else PEFTConfig()
        return replace(self._config, **peft_configs)

    @config.setter
    def config(self, config: Any) -> None:
        if not isinstance(config, PEFTSystemConfig):
            raise ArgumentError(
                f"{type(config).__name__} cannot name the methods of the towers: derive it from "
                "PEFTSystemConfig"
            )
        self._config: PEFTSystemConfig = config

    @property
    def towers(self) -> dict[str, StagedTower]:
        """The two towers by their attributes."""
        return {"image_tower": self.image_tower, "text_tower": self.text_tower}

    def apply_tower_method(
        self, method: str, options: Mapping[str, Any], *, sides: Sequence[TowerSide]
    ) -> None:
        """Apply a generic method to towers, as a configuration that names it would.

        Checkpoints name the method, so that they can be loaded. Everything outside of these towers
        stays as it is. `apply_peft` calls this, and restores the model if it fails.

        Raises:
            ArgumentError: if a tower has a method already, or the method cannot work on it.
        """
        peft = PEFTConfig(method=method, options=dict(options))
        for side in sides:
            tower = self.towers[f"{side}_tower"]
            if applied := applied_peft(tower):
                raise ArgumentError(
                    f'the {side} tower of {self.name} has the method "{applied[0].method}" '
                    "already: load a new model"
                )
            try:
                prepare_tower(tower, peft, train_pos_embed=self.config.train_pos_embed)
            except RisbookError as error:
                raise ArgumentError(
                    f'{side} tower: {error}; tower="image" or tower="text" gives one tower its own '
                    "method and options"
                ) from error
        self._required_tuned = _tuned_names(self)

    def check_saveable(self) -> None:
        """Refuse several methods on one tower, and adapters or prompts that no method made.

        Raises:
            RisbookError: names the tower, and the methods or the adapter.
        """
        for side in TOWER_SIDES:
            tower = self.towers[f"{side}_tower"]
            applied = applied_peft(tower)
            if len(applied) > 1:
                names = " and ".join(peft.method for peft in applied)
                raise RisbookError(
                    f"the {side} tower of {self.name} has the methods {names}; a checkpoint can "
                    "name one"
                )
            unnamed = unnamed_adapters(tower)
            if unnamed and not self.builds_adapters:
                raise RisbookError(
                    f"the {side} tower of {self.name} has {unnamed[0]}, which a checkpoint cannot "
                    "name: register the adapter by register_peft_method and apply it by apply_peft"
                )

    def saved_state(self) -> dict[str, Tensor]:
        """Tensors of a checkpoint: those tuned, and those that do not equal the towers' files."""
        state = dict(self.state_dict())
        tuned = self._required_tuned | _tuned_names(self)
        for prefix, tower in self.towers.items():
            for name, value in tower.state_dict().items():
                if f"{prefix}.{name}" not in tuned and came_from_file(tower, name, value):
                    del state[f"{prefix}.{name}"]
        return state

    def required_names(self) -> set[str]:
        """Names that a checkpoint must hold: what is tuned, and what no tower's file brought."""
        names = set(self.state_dict())
        for prefix, tower in self.towers.items():
            names -= {f"{prefix}.{n}" for n in tower.state_dict() if came_from_file(tower, n)}
        return names | (self._required_tuned & set(self.state_dict()))

    def part_of(self, name: str, parameter: nn.Parameter) -> str:
        """The part of a parameter: towers, their adapters and position embeddings, other parts."""
        part, _, rest = name.partition(".")
        if part not in self.towers:
            return super().part_of(name, parameter)
        side, tower = part.removesuffix("_tower"), self.towers[part]
        # Position embeddings are a part of their own, because no paper counts them; a tower that
        # is tuned as a whole is tuned with them.
        if parameter is tower.pos_embed and not all(p.requires_grad for p in tower.parameters()):
            return f"{side} position embedding"
        return f"{side} adapters" if rest in adapter_parameters(tower) else f"{side} tower"

    def weights_origins(self) -> dict[str, dict[str, Any]]:
        """Where each tower's weights come from, as plain values."""
        return {prefix: weights_origin(tower).as_dict() for prefix, tower in self.towers.items()}

    def dead_parameters(self) -> int:
        """As every `System`, and the text tower's embeddings of positions that no sentence has."""
        pos_embed = self.text_tower.pos_embed
        unread = (pos_embed.shape[0] - self.tokenizer.length) * pos_embed.shape[1]
        return super().dead_parameters() + (unread if pos_embed.requires_grad else 0)


def _tuned_names(system: nn.Module) -> set[str]:
    return {name for name, parameter in system.named_parameters() if parameter.requires_grad}
