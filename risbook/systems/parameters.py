"""One accounting of parameters for every system: what learns, what does not, a share of what.

Papers on parameter-efficient tuning print one percentage, and mean different ones by it: the tuned
part of the backbone over the image tower alone (ETRIS' 3.39 % for RN101), or over both towers
(DETRIS' 0.9 to 1.8 %). Neither counts neck, decoder and projector, which learn as well and are
several times as large. Here everything is counted, by group, and both shares are named.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from risbook.systems.system import System
from risbook.systems.system_presets import preset
from risbook.systems.tower_system import TowerSystem

TOWERS = ("image tower", "text tower")
#: the parts that the field calls backbone when it speaks of a share of tuned parameters
BACKBONE = (*TOWERS, "image adapters", "text adapters", "bridgers")
#: what the names of parameters that were put into a tower contain
ADAPTER_MARKS = ("attached.", "prompts", "lora_")


@dataclass(frozen=True, slots=True)
class Group:
    """The parameters of one part of a system.

    Args:
        name: the part.
        tuned: parameters that learn.
        frozen: parameters that do not.
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
        pretrained: whether it stands on pretrained towers; a system that learns from scratch has
            no adapters, and no share of anything.
    """

    system: str
    groups: tuple[Group, ...]
    dead: int
    pretrained: bool = True

    @property
    def tuned(self) -> int:
        """All parameters that learn."""
        return sum(group.tuned for group in self.groups)

    @property
    def frozen(self) -> int:
        """All parameters that do not."""
        return sum(group.frozen for group in self.groups)

    @property
    def total(self) -> int:
        """All parameters."""
        return self.tuned + self.frozen

    @property
    def adapters(self) -> int:
        """Tuned parameters inside and between the towers, position tables left out."""
        if not self.pretrained:
            return 0
        return sum(group.tuned for group in self.groups if group.name in BACKBONE)

    def tower(self, *names: str) -> int:
        """Parameters of towers, learned position tables included."""
        tables = {name: f"{name.split()[0]} position table" for name in names}
        wanted = {*names, *tables.values()}
        return sum(g.tuned + g.frozen for g in self.groups if g.name in wanted)

    @property
    def share_of_image_tower(self) -> float | None:
        """Adapters over the image tower alone; None for a system that learns from scratch."""
        return self.adapters / self.tower("image tower") if self.pretrained else None

    @property
    def share_of_towers(self) -> float | None:
        """Adapters over both towers; None for a system that learns from scratch."""
        return self.adapters / self.tower(*TOWERS) if self.pretrained else None

    def record(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "system": self.system,
            "groups": [asdict(group) for group in self.groups],
            "tuned": self.tuned,
            "frozen": self.frozen,
            "total": self.total,
            "dead": self.dead,
            "adapters": self.adapters,
            "share of image tower": self.share_of_image_tower,
            "share of both towers": self.share_of_towers,
        }


def count_parameters(system: System) -> ParameterReport:
    """Count the parameters of a system; a shared one counts once.

    Args:
        system: on any device, the meta device included.
    """
    order: dict[str, list[int]] = {}
    for name, value in system.named_parameters():
        counts = order.setdefault(_group(system, name, value), [0, 0])
        counts[0 if value.requires_grad else 1] += value.numel()
    groups = tuple(Group(name, tuned, frozen) for name, (tuned, frozen) in order.items())
    if isinstance(system, TowerSystem):
        return ParameterReport(system.name, groups, dead=system.dead_parameters())
    return ParameterReport(system.name, groups, dead=0, pretrained=False)


def outline(name: str, changes: Mapping[str, Any] | None = None) -> System:
    """A system of shapes only: no memory for its weights, nothing read from the disk or the net.

    Args:
        name: a preset's name.
        changes: fields of its configuration to change.
    """
    with torch.device("meta"):
        return preset(name).outline(changes or {})


def _group(system: System, name: str, value: nn.Parameter) -> str:
    part, _, rest = name.partition(".")
    if not isinstance(system, TowerSystem):
        return part.replace("_", " ")
    if part == "logit_scale":
        return "text tower"
    if part not in system.towers:
        return part.replace("_", " ")
    side = part.removesuffix("_tower")
    # A tower that learns as a whole learns with its table; elsewhere the table is told apart,
    # because no paper counts it.
    if system.tuning[part] != "full" and any(v is value for v in system.position_tables()):
        return f"{side} position table"
    if any(mark in rest for mark in ADAPTER_MARKS):
        return f"{side} adapters"
    return f"{side} tower"
