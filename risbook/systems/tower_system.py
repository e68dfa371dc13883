"""What the systems on two pretrained towers have in common: which parts of the towers learn.

The towers are frozen; adapters, neck, decoder and projector learn. As released, the position
tables learn as well, and a ResNet's batch norms follow the statistics of the batches. A checkpoint
holds what another machine could not have: everything that learned or moved, and whatever part of a
tower started random. The rest is the tower's own file, whose digest is noted.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from risbook.adapters.peft_methods import METHODS, tune
from risbook.decoder.hierarchical_alignment import SentenceGate
from risbook.errors import DataError, RisbookError
from risbook.systems.system import System, Tokenizer
from risbook.towers.attention_pool import AttentionPool
from risbook.towers.build import build_tower
from risbook.towers.clip_resnet import CLIPResNet
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.text_transformer import TextTransformer
from risbook.towers.tower_presets import tower_preset
from risbook.towers.weights_source import weights_source

ImageTower = ImageTransformer | CLIPResNet
TowerT = TypeVar("TowerT", bound=nn.Module)


def image_tower(
    name: str,
    *,
    weights: str | Path,
    image_size: int,
    fixed_statistics: bool = False,
    **changes: Any,
) -> ImageTower:
    """Build an image tower for one size of picture.

    A CLIP transformer's table is resized to it once, as ETRIS does, so that the resized one can
    learn; the others resize theirs as they run.

    Args:
        name: the tower's name.
        weights: see `risbook.towers.build.build_tower`.
        image_size: side S of the pictures, pixels.
        fixed_statistics: whether a ResNet's batch norms stay as they are in training.
        changes: other arguments of the tower.
    """
    preset = tower_preset(name)
    table = None
    if preset.family == "clip-resnet":
        changes["fixed_statistics"] = fixed_statistics
    if preset.family == "clip-vit":
        side = image_size // int(preset.arch["patch"])
        table = side if side != preset.arch["table"] else None
    tower = build_tower(name, weights=weights, table=table, **changes)
    if isinstance(tower, TextTransformer):
        raise DataError(f"{name} is a text tower; the image tower has to be another one")
    return tower


def text_tower(name: str, *, weights: str | Path) -> TextTransformer:
    """Build a text tower.

    Args:
        name: the tower's name.
        weights: see `risbook.towers.build.build_tower`.
    """
    tower = build_tower(name, weights=weights)
    if not isinstance(tower, TextTransformer):
        raise DataError(f"{name} is an image tower; the text tower has to be another one")
    return tower


class TowerSystem(System):
    """Base class of the systems that tune a little between or inside two pretrained towers.

    Args:
        name: the preset's name.
        image_size: side S of the letterboxed input, pixels.
        tokenizer: the text tower's.
        image_tower: the image tower; it is frozen but for what tuning adds.
        text_tower: the text tower; the same.
        position_tables: whether the towers' position tables learn.
        image_tuning: what learns inside the image tower, a name of `METHODS`.
        text_tuning: the same for the text tower.
        tuning_options: options of the two methods; each takes those that it has.
    """

    owns_tokenizer = False

    def __init__(
        self,
        *,
        name: str,
        image_size: int,
        tokenizer: Tokenizer,
        image_tower: ImageTower,
        text_tower: TextTransformer,
        position_tables: bool,
        image_tuning: str = "frozen",
        text_tuning: str = "frozen",
        tuning_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(name=name, image_size=image_size, tokenizer=tokenizer)
        options = tuning_options or {}
        known = {*_options(image_tuning), *_options(text_tuning)}
        if unknown := sorted(set(options) - known):
            raise RisbookError(
                f"tuning_options: neither {image_tuning} nor {text_tuning} has the option "
                f"{unknown[0]!r}; they have {', '.join(sorted(known)) or 'none'}"
            )
        #: what learns inside each tower, by the names of the attributes that hold the towers
        self.tuning = {"image_tower": image_tuning, "text_tower": text_tuning}
        self.image_tower = _tune(image_tower, image_tuning, options)
        self.text_tower = _tune(text_tower, text_tuning, options)
        if position_tables:
            for table in self.position_tables():
                table.requires_grad_(True)
        # Noted here, because whoever loads a system to look at it may freeze it, and its checkpoint
        # must still hold what learned.
        self._learning = frozenset(_learning(self))

    def position_tables(self) -> Sequence[nn.Parameter]:
        """The learned position tables of both towers."""
        words = self.text_tower.text.embeddings.position_embedding.weight
        if isinstance(self.image_tower, CLIPResNet):
            return self.image_tower.attention_pool.positional_embedding, words
        return self.image_tower.vit.pos_embed, words

    @property
    def towers(self) -> Mapping[str, nn.Module]:
        """The two towers by the names of the attributes that hold them."""
        return {"image_tower": self.image_tower, "text_tower": self.text_tower}

    def saved_state(self) -> dict[str, Tensor]:
        """What a checkpoint has to hold: all but what the towers' own files hold."""
        given = set()
        learned = self._learning | _learning(self)
        for prefix, tower in self.towers.items():
            origin = weights_source(tower)
            if origin.kind == "random" or origin.inside:
                continue
            moved = tuple(f"{name}." for name in _moving_norms(tower))
            absent = tuple(f"{part}." for part in origin.random_parts)
            given |= {
                f"{prefix}.{name}"
                for name in tower.state_dict()
                if f"{prefix}.{name}" not in learned
                and not name.startswith(absent)
                and not (name.startswith(moved) and "running_" in name)
            }
        return {name: value for name, value in self.state_dict().items() if name not in given}

    def origins(self) -> dict[str, dict[str, Any]]:
        """Where each tower's weights come from, as plain values."""
        return {prefix: weights_source(tower).record() for prefix, tower in self.towers.items()}

    def dead_parameters(self) -> int:
        """Tuned parameters whose gradient is zero by construction.

        Query and key of attention with a single key, the class token's row of an attention pool's
        table that only its dense form reads, and the text table's rows beyond the longest
        sentence. (The key's bias of any attention is without effect as well, since a softmax
        ignores what all keys have in common; rounding still gives it a gradient, and it is not
        counted here.)
        """
        dead = sum(one.dead for one in self.modules() if isinstance(one, SentenceGate))
        *_, words = self.position_tables()
        if words.requires_grad:
            dead += (words.shape[0] - self.tokenizer.length) * words.shape[1]
        pool = getattr(self.image_tower, "attention_pool", None)
        if isinstance(pool, AttentionPool) and pool.positional_embedding.requires_grad:
            dead += pool.positional_embedding.shape[1]
        return dead


def _learning(system: nn.Module) -> set[str]:
    return {name for name, value in system.named_parameters() if value.requires_grad}


def _moving_norms(tower: nn.Module) -> list[str]:
    # `fixed_statistics` speaks of a ResNet's body alone: the norm of its pool's branch moves on
    fixed = ("body.",) if getattr(tower, "fixed_statistics", False) else ()
    return [
        name
        for name, module in tower.named_modules()
        if isinstance(module, _BatchNorm) and not name.startswith(fixed)
    ]


def _options(method: str) -> list[str]:
    return list(METHODS[method].options) if method in METHODS else []


def _tune(tower: TowerT, method: str, options: Mapping[str, Any]) -> TowerT:
    known = _options(method)
    return tune(tower, method, **{name: options[name] for name in options if name in known})
