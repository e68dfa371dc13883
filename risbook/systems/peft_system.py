"""What the systems on two pretrained towers have in common: what is tuned, and what is saved.

The towers are frozen; adapters and mask head are trained. As released, the position embeddings are
tuned as well, and a ResNet's batch norms follow the statistics of the batches.

A checkpoint holds what another machine could not have: every entry that no tower's own file
brought, and every entry that differs from that file. The rest is the file, whose digest is noted.
So an adapter cannot be lost, whenever it was added and whether it is frozen now or not.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, cast

from torch import Tensor, nn

from risbook.adapters.peft_methods import PEFT_METHODS, apply_peft
from risbook.errors import DataError, RisbookError
from risbook.systems.system import System
from risbook.systems.tokenizer import Tokenizer
from risbook.towers.build import build_tower
from risbook.towers.presets import tower_preset
from risbook.towers.stages import StagedImageTower
from risbook.towers.text_transformer import TextTransformer
from risbook.towers.weights.source import came_from_file, weights_source


def build_image_tower(
    name: str,
    *,
    weights: str | Path,
    image_size: int,
    norm_eval: bool = False,
    **overrides: Any,
) -> StagedImageTower:
    """Build an image tower for one image size.

    The position embeddings of a CLIP transformer are resized to it once, as ETRIS does, so that
    the resized ones can be tuned; other towers resize theirs in each forward pass.

    Args:
        name: the tower's name.
        weights: see `risbook.towers.build.build_tower`.
        image_size: side S of the images, pixels.
        norm_eval: whether a ResNet's batch norms stay in evaluation mode.
        overrides: other arguments of the tower.
    """
    preset = tower_preset(name)
    pos_grid = None
    if preset.family == "clip-resnet":
        overrides["norm_eval"] = norm_eval
    if preset.family == "clip-vit":
        side = image_size // int(preset.arch["patch_size"])
        pos_grid = side if side != preset.arch["pos_grid"] else None
    tower = build_tower(name, weights=weights, pos_grid=pos_grid, **overrides)
    if isinstance(tower, TextTransformer):
        raise DataError(f"{name} is a text tower; image_tower must name an image tower")
    return cast(StagedImageTower, tower)


def build_text_tower(name: str, *, weights: str | Path) -> TextTransformer:
    """Build a text tower; see `risbook.towers.build.build_tower` for `weights`."""
    tower = build_tower(name, weights=weights)
    if not isinstance(tower, TextTransformer):
        raise DataError(f"{name} is an image tower; text_tower must name a text tower")
    return tower


def prepare_towers(
    image_tower: Any,
    text_tower: TextTransformer,
    *,
    train_pos_embed: bool = False,
    image_adapter: str = "frozen",
    text_adapter: str = "frozen",
    adapter_options: Mapping[str, Any] | None = None,
) -> None:
    """Freeze two towers, but for what is tuned inside them, in place.

    Args:
        image_tower: the image tower.
        text_tower: the text tower.
        train_pos_embed: whether the towers' position embeddings are tuned.
        image_adapter: generic method inside the image tower, a name of `PEFT_METHODS`.
        text_adapter: the same for the text tower.
        adapter_options: options of the two methods; each takes those that it has.

    Raises:
        RisbookError: if there is no such method, or neither has an option of this name.
    """
    options = dict(adapter_options or {})
    allowed = {*_options_of(image_adapter), *_options_of(text_adapter)}
    if unknown := sorted(set(options) - allowed):
        raise RisbookError(
            f"adapter_options: neither {image_adapter} nor {text_adapter} has the option "
            f"{unknown[0]!r}; they have {', '.join(sorted(allowed)) or 'none'}"
        )
    towers: tuple[Any, Any] = (image_tower, text_tower)
    for tower, method in zip(towers, (image_adapter, text_adapter), strict=True):
        own = {name: options[name] for name in options if name in _options_of(method)}
        apply_peft(tower, method, **own)
        if train_pos_embed:
            tower.pos_embed.requires_grad_(True)


class PEFTSystem(System):
    """Base class of the systems with adapters between or inside two frozen towers.

    Args:
        image_tower: a tower whose parameters learn or not, as `prepare_towers` or the caller set.
        text_tower: the same.
        name: the preset's name.
        image_size: side S of the letterboxed input, pixels.
        tokenizer: the text tower's.
    """

    owns_tokenizer = False
    backbone_groups: ClassVar[tuple[str, ...]] = (
        "image tower",
        "text tower",
        "image adapters",
        "text adapters",
    )
    #: parts of names that mark what is trained inside a tower: attributes of `TransformerTower`,
    #: and what peft puts before the names of LoRA
    adapter_marks: ClassVar[tuple[str, ...]] = ("adapters.", "prompts", "lora_")
    image_tower: StagedImageTower
    text_tower: TextTransformer

    def __init__(
        self,
        image_tower: Any,
        text_tower: TextTransformer,
        *,
        name: str,
        image_size: int,
        tokenizer: Tokenizer,
    ) -> None:
        super().__init__(name=name, image_size=image_size, tokenizer=tokenizer)
        self.image_tower = image_tower
        self.text_tower = text_tower
        #: names that every checkpoint of this configuration holds, trained or not
        self._tuned_from_file = _tuned_names(self)

    @property
    def towers(self) -> dict[str, Any]:
        """The two towers by their attributes."""
        return {"image_tower": self.image_tower, "text_tower": self.text_tower}

    def add_tower_adapters(self, method: str, options: Mapping[str, Any]) -> None:
        """Apply a generic method to both towers, as a configuration that names it would.

        Checkpoints name the method, so that they can be loaded. Everything outside of the towers
        stays as it is.

        Raises:
            DataError: if the towers have adapters already, or the method cannot work on them.
        """
        if (self.config.image_adapter, self.config.text_adapter) != ("frozen", "frozen"):
            raise DataError(f"{self.name} has adapters in its towers already: load a new model")
        prepare_towers(
            self.image_tower,
            self.text_tower,
            train_pos_embed=self.config.train_pos_embed,
            image_adapter=method,
            text_adapter=method,
            adapter_options=options,
        )
        self.config = replace(
            self.config, image_adapter=method, text_adapter=method, adapter_options=dict(options)
        )
        self._tuned_from_file = _tuned_names(self)

    def remove_tower_adapters(self) -> None:
        """Note that the towers have no LoRA any more, after it was merged into them."""
        methods = {
            key: "frozen" if getattr(self.config, key) == "lora" else getattr(self.config, key)
            for key in ("image_adapter", "text_adapter")
        }
        options = {} if set(methods.values()) == {"frozen"} else self.config.adapter_options
        self.config = replace(self.config, **methods, adapter_options=options)
        self._tuned_from_file = _tuned_names(self)

    def saved_state(self) -> dict[str, Tensor]:
        """What a checkpoint holds: what is tuned, and all that does not equal the towers' files."""
        state = dict(self.state_dict())
        tuned = self._tuned_from_file | _tuned_names(self)
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
        return names | self._tuned_from_file

    def group_of(self, name: str, value: nn.Parameter) -> str:
        """The group of a parameter: towers, their adapters and position embeddings, other parts."""
        part, _, rest = name.partition(".")
        if part not in self.towers:
            return super().group_of(name, value)
        side, tower = part.removesuffix("_tower"), self.towers[part]
        # Position embeddings are a group of their own, because no paper counts them; a tower that
        # is tuned as a whole is tuned with them.
        if value is tower.pos_embed and not all(p.requires_grad for p in tower.parameters()):
            return f"{side} position embedding"
        is_adapter = any(mark in rest for mark in self.adapter_marks)
        return f"{side} adapters" if is_adapter else f"{side} tower"

    def weights_sources(self) -> dict[str, dict[str, Any]]:
        """Where each tower's weights come from, as plain values."""
        return {prefix: weights_source(tower).as_dict() for prefix, tower in self.towers.items()}

    def dead_parameters(self) -> int:
        """Tuned parameters whose gradient is zero by construction.

        Each module counts its own (see `dead_parameters` there); here the text tower's position
        embeddings beyond the longest sentence are added. The key's bias of any attention has no
        effect either, since a softmax ignores what all keys have in common; rounding still gives it
        a gradient, and it is not counted.
        """
        counts = [
            int(count())
            for module in self.modules()
            if module is not self and callable(count := getattr(module, "dead_parameters", None))
        ]
        pos_embed = self.text_tower.pos_embed
        unread = (pos_embed.shape[0] - self.tokenizer.length) * pos_embed.shape[1]
        return sum(counts) + (unread if pos_embed.requires_grad else 0)


def _tuned_names(system: nn.Module) -> set[str]:
    return {name for name, value in system.named_parameters() if value.requires_grad}


def _options_of(method: str) -> list[str]:
    return list(PEFT_METHODS[method].options) if method in PEFT_METHODS else []
