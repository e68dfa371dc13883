"""The base of systems on two pretrained towers: which parameters are tuned and which are saved.

The towers are frozen; adapters and mask head are trained. A configuration may choose that the
position embeddings are tuned as well, as in the released code of ETRIS; the default of
`PEFTSystemConfig` is that they are frozen.

A checkpoint holds all tensors that cannot be read again from the towers' published or shipped
files: those that such a file does not have, and those whose values differ from it. The digest of
the file is noted. So an adapter is saved whenever it was added, frozen or not.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Protocol, Self

from torch import Tensor, nn

from risbook.adapters.peft.apply_peft import apply_peft, apply_to_tower
from risbook.adapters.peft.peft_config import PEFTConfig
from risbook.adapters.peft.peft_notes import (
    applied_peft,
    is_adapter_parameter,
    unnamed_adapters,
)
from risbook.adapters.peft.snapshot import restored_on_error
from risbook.decoder.mask_head import MaskHead
from risbook.errors import ArgumentError, RisbookError
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.systems.part_names import (
    ADAPTER_PARTS,
    POS_EMBED_PARTS,
    TOWER_PARTS,
    tower_attribute,
)
from risbook.systems.system import System
from risbook.systems.system_towers import PEFTSystemConfig, context_dims
from risbook.tokenizers.interface import Tokenizer
from risbook.towers.stages import (
    MODALITIES,
    Modality,
    StageContext,
    StagedImageTower,
    StagedTextTower,
    StagedTower,
)
from risbook.towers.weights.origin import came_from_file, weights_origin


class StageHook(Protocol):
    """A module between the stages of both towers, for instance `Bridgers`."""

    def __call__(
        self,
        stage: int,
        feature_map: Tensor,
        text_tokens: Tensor,
        previous: Any,
        /,
        *,
        key_padding_mask: Tensor,
    ) -> tuple[Tensor, Tensor, Any]:
        """The map and the tokens with which the towers continue, and anything for the next call.

        Args:
            stage: its number, counted from 1.
            feature_map: of the stage, (B, C, h, w).
            text_tokens: of the text tower, (B, L, T), prompts included.
            previous: what the call after the previous stage returned third; None at first.
            key_padding_mask: bool (B, L), true for padding.
        """


class PEFTSystem(System):
    """Base class of the systems with adapters between or inside two frozen towers.

    Args:
        image_tower: an image tower; `build_towers` or the caller has frozen what is not tuned, and
            set `train_pos_embed` as the configuration has it.
        text_tower: a text tower, prepared in this way as well.
        config: the choices; a `PEFTSystemConfig`, so that it can name the method of each tower.
        tokenizer: the text tower's.

    Raises:
        ArgumentError: if the configuration is none of this kind, or the tokenizer makes more tokens
            than the text tower reads.
    """

    owns_tokenizer = False
    backbone_parts: ClassVar[tuple[str, ...]] = (
        *TOWER_PARTS.values(),
        *ADAPTER_PARTS.values(),
    )
    #: whether the builder of the system adds adapters or prompts to the towers; those of other
    #: systems have to come from a method, which a checkpoint can name
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
        tokenizer: Tokenizer,
    ) -> None:
        super().__init__(
            _check_config(config),
            name=type(self).__name__.lower(),
            image_size=config.image_size,
            tokenizer=tokenizer,
        )
        if tokenizer.length > text_tower.context_length:
            raise ArgumentError(
                f"sentences have {tokenizer.length} tokens (max_tokens, or the length of a "
                f"tokenizer that was given); the text tower reads at most "
                f"{text_tower.context_length}"
            )
        self.image_tower = image_tower
        self.text_tower = text_tower
        self._unused_parts: dict[str, str] = {}

    @property
    def config(self) -> Any:
        """The choices that build the system again, with the methods that the towers have now.

        `image_peft` and `text_peft` are read from the towers, which note their methods, because a
        method can also be applied to a tower alone.
        """
        applied: dict[str, Any] = {
            f"{modality}_peft": next(iter(applied_peft(tower)), PEFTConfig())
            for modality, tower in self.towers.items()
        }
        if all(getattr(self._config, field) == peft for field, peft in applied.items()):
            return self._config
        return replace(self._config, **applied)

    @config.setter
    def config(self, config: Any) -> None:
        self._config = _check_config(config)

    @property
    def towers(self) -> dict[Modality, StagedTower]:
        """The two towers; `image_tower` and `text_tower` are their attributes."""
        return {"image": self.image_tower, "text": self.text_tower}

    def add_unused_weights(self, modality: Modality, **weights: Tensor) -> None:
        """Hold frozen weights of a published tower that no computation here reads.

        A released checkpoint holds them, and the released counts include them. So none of its
        entries is left over, and the counts here equal the released ones to the last digit.

        Args:
            modality: the tower to which they are counted.
            weights: initial values by attribute; a released checkpoint replaces them.
        """
        for name, value in weights.items():
            self.register_parameter(name, nn.Parameter(value, requires_grad=False))
            self._unused_parts[name] = TOWER_PARTS[modality]

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
        dims = context_dims(self.image_tower, self.text_tower)
        with restored_on_error(self):  # the second tower may refuse what the first has taken
            for modality in (tower,) if tower else MODALITIES:
                if applied := applied_peft(self.towers[modality]):
                    raise ArgumentError(
                        f"the {modality} tower of {self.name} has the method "
                        f"{applied[0].method!r} already: load a new model"
                    )
                try:
                    apply_to_tower(self.towers[modality], peft, context_dims=dims)
                except RisbookError as error:
                    raise ArgumentError(
                        f'{modality} tower: {error}; tower="image" or tower="text" gives one tower '
                        "its own method and options"
                    ) from error
        self.eval()

    def run_towers(
        self,
        images: Tensor,
        token_ids: Tensor,
        between_stages: StageHook,
        *,
        image_index: Tensor | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Run both towers side by side, stage by stage, with a module between the stages.

        Adapters inside the towers get a `StageContext`: the text tokens and the feature map that
        enter the same stage. A system whose text tower is finished first needs no such method: it
        calls the text tower, and then the image tower with a context.

        Args:
            images: (B, 3, S, S).
            token_ids: (B, L).
            between_stages: see `StageHook`.
            image_index: see `System.__call__`. The image tower runs once per image up to the first
                adapter inside it, at most through its first stage.
            intermediates: gets what the towers record, below "image_tower" and "text_tower".

        Returns:
            A map per stage, and the state of the text tower after the last one, for
            `StagedTextTower.final_features`. The last map is the tower's final map, as the released
            systems take it: after CLIP's pool, or the last norm.
        """
        image_tower, text_tower = self.image_tower, self.text_tower
        padding = text_tower.key_padding_mask(token_ids)
        of_image, of_text = intermediates.sub("image_tower"), intermediates.sub("text_tower")
        text_state = text_tower.begin_stages(token_ids, intermediates=of_text)
        image_state = image_tower.begin_stages(images, intermediates=of_image)
        context: StageContext | None = None
        previous: Any = None
        maps: list[Tensor] = []
        for stage in range(1, image_tower.num_stages + 1):
            context = StageContext(text_state, padding, image_index=image_index)
            feature_map = context.per_sentence(image_tower.stage_map(image_state))
            context = context._replace(feature_map=feature_map)
            image_state = image_tower.run_stage(
                stage, image_state, context=context, intermediates=of_image
            )
            text_state = text_tower.run_stage(
                stage, text_state, context=context, intermediates=of_text
            )
            stage_map = image_tower.stage_map(image_state)
            if image_index is not None and len(stage_map) != len(image_index):
                image_state = image_tower.select_rows(image_state, image_index)
                stage_map = image_tower.stage_map(image_state)
            feature_map, text_state, previous = between_stages(
                stage, stage_map, text_state, previous, key_padding_mask=padding
            )
            if feature_map is not stage_map:  # a map that is left alone may come from a cache
                image_state = image_tower.with_stage_map(image_state, feature_map)
            maps.append(feature_map)
        maps[-1] = image_tower.final_map(image_state, context=context, intermediates=of_image)
        return tuple(maps), text_state

    def check_saveable(self) -> None:
        """Refuse several methods on one tower, and adapters or prompts that no method made.

        Raises:
            RisbookError: names the tower, and the methods or the adapter.
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
                    "apply_peft; or, if the builder of the system adds it, set "
                    f"builds_adapters = True in the class {type(self).__name__}"
                )

    def saved_state(self) -> dict[str, Tensor]:
        """Tensors of a checkpoint: those tuned, and those that do not equal the towers' files."""
        state = dict(self.state_dict())
        tuned = {name for name, value in self.named_parameters() if value.requires_grad}
        for modality, tower in self.towers.items():
            for name, value in tower.state_dict().items():
                full_name = f"{tower_attribute(modality)}.{name}"
                if full_name not in tuned and came_from_file(tower, name, value):
                    del state[full_name]
        return state

    def load_saved_state(self, state: Mapping[str, Tensor]) -> None:
        """Take what `saved_state` returned; a system on the meta device takes the tensors."""
        super().load_saved_state(state)
        for tower in self.towers.values():
            tower.init_buffers()

    def required_keys(self) -> set[str]:
        """Names that a checkpoint must hold: what no tower's file brought."""
        names = set(self.state_dict())
        for modality, tower in self.towers.items():
            prefix = tower_attribute(modality)
            names -= {f"{prefix}.{n}" for n in tower.state_dict() if came_from_file(tower, n)}
        return names

    def part_of(self, name: str, parameter: nn.Parameter) -> str:
        """The part of a parameter: towers, their adapters and position embeddings, other parts."""
        if name in self._unused_parts:
            return self._unused_parts[name]
        first, _, rest = name.partition(".")
        modality = next((m for m in MODALITIES if first == tower_attribute(m)), None)
        if modality is None:
            parts_are_counted = isinstance(getattr(self, first), MaskHead)
            return super().part_of(rest if parts_are_counted else name, parameter)
        tower = self.towers[modality]
        # Position embeddings are a part of their own, because no paper counts them; a tower that
        # is tuned as a whole is tuned with them.
        if parameter is tower.pos_embed and not all(p.requires_grad for p in tower.parameters()):
            return POS_EMBED_PARTS[modality]
        parts = ADAPTER_PARTS if is_adapter_parameter(tower, rest) else TOWER_PARTS
        return parts[modality]

    def weights_origins(self) -> dict[str, dict[str, Any]]:
        """Where each tower's weights come from, as plain values."""
        return {
            tower_attribute(modality): weights_origin(tower).as_dict()
            for modality, tower in self.towers.items()
        }

    def dead_parameters(self) -> int:
        """As every `System`, and the text tower's embeddings of positions that no sentence has."""
        pos_embed = self.text_tower.pos_embed
        if pos_embed is None:
            return super().dead_parameters()
        unread = (pos_embed.shape[0] - self.tokenizer.length) * pos_embed.shape[1]
        return super().dead_parameters() + (unread if pos_embed.requires_grad else 0)


def _check_config(config: Any) -> PEFTSystemConfig:
    if not isinstance(config, PEFTSystemConfig):
        raise ArgumentError(
            f"{type(config).__name__} cannot name the methods of the towers: derive it from "
            "PEFTSystemConfig"
        )
    return config
