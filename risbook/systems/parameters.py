"""Count the parameters of a system: tuned, frozen, and the two shares that papers print.

Papers on parameter-efficient tuning print one percentage, with different definitions: the tuned
part of the backbone over the image tower alone (ETRIS: 3.39 % for RN101), or over both towers
(DETRIS: 0.9 to 1.8 %). Neither counts neck, decoder and projector, which are tuned as well and
several times as large. Here all parameters are counted, by group, and both shares are given.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal, overload

from torch import nn

from risbook.keyword_aliases import keyword_aliases
from risbook.systems.system import System
from risbook.systems.system_presets import build_meta

TOWER_GROUPS = ("image tower", "text tower")


@dataclass(frozen=True, slots=True)
class Group:
    """The parameters of one part of a system.

    Args:
        name: the part.
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
        groups: its parts, in the order of the computation.
        dead: tuned parameters whose gradient is zero by construction.
        backbone: names of the groups that count as backbone, see `System.backbone_groups`; a
            system trained from scratch has none, and so no share.
    """

    system: str
    groups: tuple[Group, ...]
    dead: int
    backbone: tuple[str, ...] = ()

    @property
    def tuned(self) -> int:
        """All tuned parameters."""
        return sum(group.tuned for group in self.groups)

    @property
    def frozen(self) -> int:
        """All frozen parameters."""
        return sum(group.frozen for group in self.groups)

    @property
    def total(self) -> int:
        """All parameters."""
        return self.tuned + self.frozen

    @property
    def backbone_tuned(self) -> int:
        """Tuned parameters of the backbone: both towers, their adapters and the Bridgers.

        With the adapter "full" these are all weights of a tower. Position embeddings that are tuned
        beside other adapters are not counted.
        """
        return sum(group.tuned for group in self.groups if group.name in self.backbone)

    def tower(self, *names: str) -> int:
        """Parameters of towers, tuned position embeddings included."""
        wanted = {*names, *(f"{name.split()[0]} position embedding" for name in names)}
        return sum(g.tuned + g.frozen for g in self.groups if g.name in wanted)

    @property
    def share_of_image_tower(self) -> float | None:
        """Tuned backbone over the image tower alone; None for a system trained from scratch."""
        return self.backbone_tuned / self.tower("image tower") if self.backbone else None

    @property
    def share_of_towers(self) -> float | None:
        """Tuned backbone over both towers; None for a system trained from scratch."""
        return self.backbone_tuned / self.tower(*TOWER_GROUPS) if self.backbone else None

    def __str__(self) -> str:
        rows = [(group.name, group.tuned, group.frozen) for group in self.groups]
        rows.append(("all", self.tuned, self.frozen))
        lines = [f"{self.system:26} {'tuned':>13} {'frozen':>13}"]
        lines += [f"{name:26} {tuned:13,} {frozen:13,}" for name, tuned, frozen in rows]
        if self.share_of_towers is not None:
            lines.append(f"tuned in the backbone: {self.share_of_towers:.2%} of both towers")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "system": self.system,
            "groups": [asdict(group) for group in self.groups],
            "tuned": self.tuned,
            "frozen": self.frozen,
            "total": self.total,
            "dead": self.dead,
            "backbone_tuned": self.backbone_tuned,
            "share of image tower": self.share_of_image_tower,
            "share of both towers": self.share_of_towers,
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
        model = build_meta(model)
    order: dict[str, list[int]] = {}
    for name, value in model.named_parameters():
        part = name.split(".")[0]
        group = model.group_of(name, value) if isinstance(model, System) else part
        counts = order.setdefault(group, [0, 0])
        counts[0 if value.requires_grad else 1] += value.numel()
    groups = tuple(Group(name, tuned, frozen) for name, (tuned, frozen) in order.items())
    if isinstance(model, System):
        dead, backbone = model.dead_parameters(), model.backbone_groups
        report = ParameterReport(model.name, groups, dead, backbone)
    else:
        report = ParameterReport(type(model).__name__, groups, dead=0)
    return report.tuned if trainable_only else report
