"""The base of systems on two pretrained towers: which parameters are tuned and which are saved.

The towers are frozen; adapters and mask head are trained. A configuration may choose that the
position embeddings are tuned as well, as in the released code of ETRIS; the default of
`PEFTSystemConfig` is that they are frozen.

A checkpoint holds all tensors that cannot be read again from the towers' published or shipped
files: those that such a file does not have, and those whose values differ from it. The digest of
the file is noted. So an adapter is saved whenever it was added, frozen or not.
"""

from dataclasses import replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from risbook.adapters.methods.applied_peft import (
    adapter_parameters,
    applied_peft,
    unnamed_adapters,
)
from risbook.adapters.methods.peft_application import apply_peft, apply_to_tower
from risbook.adapters.methods.peft_config import PEFTConfig
from risbook.adapters.methods.snapshot import restored_on_error
from risbook.config import configuration
from risbook.errors import ArgumentError, RisbookError
from risbook.systems.mismatch import first_mismatch
from risbook.systems.part_names import ADAPTER_PARTS, POS_EMBED_PARTS, TOWER_PARTS
from risbook.systems.system import System
from risbook.systems.system_towers import context_dims, unfreeze_pos_embed
from risbook.tokenizers.interface import Tokenizer
from risbook.towers.stages import (
    MODALITIES,
    Modality,
    StagedImageTower,
    StagedTextTower,
    StagedTower,
)
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
        *TOWER_PARTS.values(),
        *ADAPTER_PARTS.values(),
    )
    #: whether the constructor itself adds adapters or prompts to the towers; those of other systems
    #: have to come from a method, which a checkpoint can name
    builds_adapters: ClassVar[bool] = False
    image_tower: StagedImageTower
    text_tower: StagedTextTower
    _config: PEFTSystemConfig

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
        #: parameters of the towers that the configuration tunes: every checkpoint holds them, also
        #: if somebody freezes them later
        self._required_tuned = self._tuned_in_towers()

    @property
    def config(self) -> Any:
        """The choices that build the system again, with the methods that the towers have now.

        The towers note their methods, because a method can also be applied to a tower alone. If the
        notes differ from `image_peft` and `text_peft`, these two fields are replaced.
        """
        applied: dict[str, Any] = {
            f"{modality}_peft": next(iter(applied_peft(tower)), PEFTConfig())
            for modality, tower in self.towers.items()
        }
        if any(getattr(self._config, field) != peft for field, peft in applied.items()):
            self._config = replace(self._config, **applied)
        return self._config

    @config.setter
    def config(self, config: Any) -> None:
        if not isinstance(config, PEFTSystemConfig):
            raise ArgumentError(
                f"{type(config).__name__} cannot name the methods of the towers: derive it from "
                "PEFTSystemConfig"
            )
        self._config = config

    @property
    def towers(self) -> dict[Modality, StagedTower]:
        """The two towers; `image_tower` and `text_tower` are their attributes."""
        return {"image": self.image_tower, "text": self.text_tower}

    def apply_peft(
        self, method: str | PEFTConfig, *, tower: Modality | None = None, **options: Any
    ) -> Self:
        """`risbook.apply_peft(model, method, ...)`; returns the model itself."""
        return apply_peft(self, method, tower=tower, **options)

    def apply_peft_to_towers(self, peft: PEFTConfig, *, tower: Modality | None = None) -> None:
        """Apply a generic method to towers, as a configuration that names it would.

        Checkpoints name the method, so that they can be loaded. Everything outside of these towers
        stays as it is. The system is left in evaluation mode; if a tower refuses the method, it is
        left as it was.

        Args:
            peft: the method and its options.
            tower: the tower that gets the method; None for both.

        Raises:
            ArgumentError: if a tower has a method already, or the method cannot work on it.
        """
        with restored_on_error(self):  # the second tower may refuse what the first has taken
            for modality in (tower,) if tower else MODALITIES:
                self._apply_to(modality, peft)
        self._required_tuned = self._tuned_in_towers()
        self.eval()

    def _apply_to(self, modality: Modality, peft: PEFTConfig) -> None:
        tower = self.towers[modality]
        if applied := applied_peft(tower):
            raise ArgumentError(
                f"the {modality} tower of {self.name} has the method {applied[0].method!r} "
                "already: load a new model"
            )
        try:
            apply_to_tower(
                tower, peft, context_dims=context_dims(self.image_tower, self.text_tower)
            )
        except RisbookError as error:
            raise ArgumentError(
                f'{modality} tower: {error}; tower="image" or tower="text" gives one tower its own '
                "method and options"
            ) from error
        if self._config.train_pos_embed:
            unfreeze_pos_embed(tower)

    def check_saveable(self) -> None:
        """Refuse what the configuration does not name or build.

        That is several methods on one tower, adapters or prompts that no method made, and, under
        the name of a registered system, other parts than that system has outside of the towers:
        their shapes follow from the towers, so they tell whether the configuration names towers of
        this kind. The towers' own weights are not compared, because two files of one tower may
        differ in the vocabulary and in optional weights.

        Raises:
            RisbookError: names the tower, and the methods or the adapter; or the part.
        """
        for modality, tower in self.towers.items():
            applied = applied_peft(tower)
            if len(applied) > 1:
                names = " and ".join(peft.method for peft in applied)
                raise RisbookError(
                    f"the {modality} tower of {self.name} has the methods {names}; a checkpoint "
                    "can name one"
                )
            unnamed = unnamed_adapters(tower)
            if unnamed and not self.builds_adapters:
                raise RisbookError(
                    f"the {modality} tower of {self.name} has {unnamed[0]}, which a checkpoint "
                    "cannot name: register the adapter by register_peft_method and apply it by "
                    "apply_peft"
                )
        if misfit := self._misfit_of_preset():
            raise RisbookError(
                f"{self.name} has parts that its configuration does not build: {misfit}; give a "
                "system of your own parts a name of its own, as name= or model.name"
            )

    def _misfit_of_preset(self) -> str:
        """The first part that the system of this name builds otherwise, in words; "" if none."""
        from risbook.systems.system_presets import SYSTEMS, BuildInputs

        if self.name not in SYSTEMS:
            return ""
        try:
            with torch.device("meta"):
                built = SYSTEMS[self.name].build(self.config, BuildInputs(meta=True))
        except RisbookError as error:  # the towers that it names have other sizes
            return str(error)
        expected = _outside_towers(built)
        return first_mismatch(_outside_towers(self), expected, expected)

    def saved_state(self) -> dict[str, Tensor]:
        """Tensors of a checkpoint: those tuned, and those that do not equal the towers' files."""
        state = dict(self.state_dict())
        tuned = self._required_tuned | self._tuned_in_towers()
        for modality, tower in self.towers.items():
            for name, value in tower.state_dict().items():
                full_name = f"{modality}_tower.{name}"
                if full_name not in tuned and came_from_file(tower, name, value):
                    del state[full_name]
        return state

    def required_keys(self) -> set[str]:
        """Names that a checkpoint must hold: what is tuned, and what no tower's file brought."""
        state = set(self.state_dict())
        names = set(state)
        for modality, tower in self.towers.items():
            names -= {
                f"{modality}_tower.{n}" for n in tower.state_dict() if came_from_file(tower, n)
            }
        return names | (self._required_tuned & state)

    def _tuned_in_towers(self) -> set[str]:
        """Names in the state of the parameters of both towers that are tuned now."""
        return {
            f"{modality}_tower.{name}"
            for modality, tower in self.towers.items()
            for name, parameter in tower.named_parameters()
            if parameter.requires_grad
        }

    def part_of(self, name: str, parameter: nn.Parameter) -> str:
        """The part of a parameter: towers, their adapters and position embeddings, other parts."""
        first, _, rest = name.partition(".")
        modality = next((m for m in MODALITIES if first == f"{m}_tower"), None)
        if modality is None:
            return super().part_of(name, parameter)
        tower = self.towers[modality]
        # Position embeddings are a part of their own, because no paper counts them; a tower that
        # is tuned as a whole is tuned with them.
        if parameter is tower.pos_embed and not all(p.requires_grad for p in tower.parameters()):
            return POS_EMBED_PARTS[modality]
        parts = ADAPTER_PARTS if rest in adapter_parameters(tower) else TOWER_PARTS
        return parts[modality]

    def weights_origins(self) -> dict[str, dict[str, Any]]:
        """Where each tower's weights come from, as plain values."""
        return {
            f"{modality}_tower": weights_origin(tower).as_dict()
            for modality, tower in self.towers.items()
        }

    def dead_parameters(self) -> int:
        """As every `System`, and the text tower's embeddings of positions that no sentence has."""
        pos_embed = self.text_tower.pos_embed
        if pos_embed is None:
            return super().dead_parameters()
        unread = (pos_embed.shape[0] - self.tokenizer.length) * pos_embed.shape[1]
        return super().dead_parameters() + (unread if pos_embed.requires_grad else 0)


def _outside_towers(system: System) -> dict[str, Tensor]:
    prefixes = tuple(f"{modality}_tower." for modality in MODALITIES)
    state = system.state_dict()
    return {name: value for name, value in state.items() if not name.startswith(prefixes)}
