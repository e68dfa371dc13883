"""Count the parameters of a system: tuned, frozen, and the two shares that papers print.

Papers on parameter-efficient tuning print one percentage, with different definitions: the tuned
part of the backbone over the image tower alone (ETRIS, Xu et al., 2023: 3.39 % for RN101), or over
both towers (DETRIS, Huang et al., 2025: 0.9 to 1.8 %). Neither counts neck, decoder and projector,
which are tuned as well and several times as large. Here all parameters are counted, part by part,
and both shares are given.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal, overload

from torch import nn

from risbook.keyword_aliases import keyword_aliases
from risbook.systems.part_names import POS_EMBED_PARTS, TOWER_PARTS
from risbook.systems.system import System
from risbook.systems.system_presets import build_meta_system

#: the parts that hold a tower's own weights, by modality
WEIGHT_PARTS = {
    modality: (TOWER_PARTS[modality], POS_EMBED_PARTS[modality]) for modality in TOWER_PARTS
}


@dataclass(frozen=True, slots=True)
class Part:
    """The parameters of one part of a system.

    Args:
        name: see `System.part_of`.
        tuned: parameters that are tuned.
        frozen: parameters that are not.
    """

    name: str
    tuned: int
    frozen: int


@dataclass(frozen=True, slots=True)
class ParameterReport:
    """The parameters of a system.

    Args:
        system: its name.
        parts: its parts, in the order in which the model registered their parameters.
        dead: tuned parameters whose gradient is zero by construction.
        backbone: names of the parts that count as backbone, see `System.backbone_parts`; a
            system trained from scratch has none, and so no share.
    """

    system: str
    parts: tuple[Part, ...]
    dead: int
    backbone: tuple[str, ...] = ()

    @property
    def tuned(self) -> int:
        """All tuned parameters."""
        return sum(part.tuned for part in self.parts)

    @property
    def frozen(self) -> int:
        """All frozen parameters."""
        return sum(part.frozen for part in self.parts)

    @property
    def total(self) -> int:
        """All parameters."""
        return self.tuned + self.frozen

    @property
    def backbone_tuned(self) -> int:
        """Tuned parameters of the backbone: both towers, their adapters and the Bridgers.

        With the method "full" these are all weights of a tower. Position embeddings that are tuned
        beside other methods are not counted.
        """
        return sum(part.tuned for part in self.parts if part.name in self.backbone)

    def _tower_size(self, *sides: str) -> int:
        """Parameters of towers, tuned position embeddings included."""
        names = [name for side in sides for name in WEIGHT_PARTS[side]]
        return sum(part.tuned + part.frozen for part in self.parts if part.name in names)

    @property
    def share_of_image_tower(self) -> float | None:
        """Tuned backbone over the image tower alone; None for a system trained from scratch."""
        return self.backbone_tuned / self._tower_size("image") if self.backbone else None

    @property
    def share_of_towers(self) -> float | None:
        """Tuned backbone over both towers; None for a system trained from scratch."""
        return self.backbone_tuned / self._tower_size("image", "text") if self.backbone else None

    def __str__(self) -> str:
        rows = [(part.name, part.tuned, part.frozen) for part in self.parts]
        rows.append(("all", self.tuned, self.frozen))
        lines = [f"{self.system:26} {'tuned':>13} {'frozen':>13}"]
        lines += [f"{name:26} {tuned:13,} {frozen:13,}" for name, tuned, frozen in rows]
        if self.share_of_towers is not None:
            lines.append(self._share_line())
        return "\n".join(lines)

    def _share_line(self) -> str:
        """What is divided by what, in the words and numbers of the table."""
        tuned = [part.name for part in self.parts if part.name in self.backbone and part.tuned]
        tower_parts = [*WEIGHT_PARTS["image"], *WEIGHT_PARTS["text"]]
        whole = [part.name for part in self.parts if part.name in tower_parts]
        return (
            f"tuned in the backbone: {self.share_of_towers:.2%} = {self.backbone_tuned:,} (tuned: "
            f"{' + '.join(tuned) or 'nothing'}) / {self._tower_size('image', 'text'):,} "
            f"(tuned and frozen: {' + '.join(whole)})"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, which `risbook params --json` prints."""
        return {
            "system": self.system,
            "parts": [asdict(part) for part in self.parts],
            "tuned": self.tuned,
            "frozen": self.frozen,
            "total": self.total,
            "dead": self.dead,
            "backbone_tuned": self.backbone_tuned,
            "share_of_image_tower": self.share_of_image_tower,
            "share_of_towers": self.share_of_towers,
        }


@overload
def count_parameters(
    model: nn.Module | str, *, trainable_only: Literal[False] = False
) -> ParameterReport: ...


@overload
def count_parameters(model: nn.Module | str, *, trainable_only: Literal[True]) -> int: ...


@keyword_aliases(
    {"trainable": "trainable_only", "only_trainable": "trainable_only"},
    name="risbook.count_parameters",
)
def count_parameters(
    model: nn.Module | str, *, trainable_only: bool = False
) -> ParameterReport | int:
    """Count the parameters of a model; a shared one counts once.

    Args:
        model: a system, or any other module; on any device, the meta device included. A name of
            a system is counted without its weights.
        trainable_only: return the number of tuned parameters alone.
    """
    if isinstance(model, str):
        model = build_meta_system(model)
    counts: dict[str, list[int]] = {}  # by part: tuned and frozen
    for name, parameter in model.named_parameters():
        first = name.partition(".")[0]
        part = model.part_of(name, parameter) if isinstance(model, System) else first
        tuned_and_frozen = counts.setdefault(part, [0, 0])
        tuned_and_frozen[0 if parameter.requires_grad else 1] += parameter.numel()
    parts = tuple(Part(name, tuned, frozen) for name, (tuned, frozen) in counts.items())
    if isinstance(model, System):
        dead, backbone = model.dead_parameters(), model.backbone_parts
        report = ParameterReport(model.name, parts, dead, backbone)
    else:
        report = ParameterReport(type(model).__name__, parts, dead=0)
    return report.tuned if trainable_only else report
