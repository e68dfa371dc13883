"""The origin of a tower's weights; it is saved with a model and shown beside its results."""

import hashlib
import zlib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

WeightsKind = Literal["published", "risbook", "random"]


@dataclass(frozen=True, slots=True)
class WeightsOrigin:
    """Where the weights of a tower come from.

    Args:
        kind: "published" for weights of a published tower, "risbook" for those of risbook's own
            towers, "random" for none.
        source: file or hub name with revision; empty for random weights.
        sha256: digest of that file.
        random_parts: parts of the tower that the file does not hold and that started random.
        inside: whether the tower came from a checkpoint of a whole system, and is saved with it.
        values: digest of the frozen weights (`values_digest`) where the file itself was not at
            hand: a converted checkpoint names the published file of its tower.

    >>> str(WeightsOrigin())
    'random weights'
    >>> str(WeightsOrigin("risbook", "dinov2-mini, shipped", "0123456789abcdef"))
    'risbook weights: dinov2-mini, shipped (sha256 01234567)'
    """

    kind: WeightsKind = "random"
    source: str = ""
    sha256: str = ""
    random_parts: tuple[str, ...] = ()
    inside: bool = False
    values: str = ""

    def __str__(self) -> str:
        line = f"{self.kind} weights"
        if self.source:
            line += f": {self.source}"
        if self.sha256:
            line += f" (sha256 {self.sha256[:8]})"
        if self.random_parts:
            line += f", but {' and '.join(self.random_parts)} random"
        return line

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a result file or a checkpoint's configuration."""
        values = {**asdict(self), "random_parts": list(self.random_parts)}
        return {k: v for k, v in values.items() if v or k not in ("inside", "values")}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "WeightsOrigin":
        """The inverse of `as_dict`."""
        return cls(**{**values, "random_parts": tuple(values.get("random_parts", ()))})


def weights_origin(tower: nn.Module) -> WeightsOrigin:
    """Where a tower's weights come from; random for a tower that no weights were loaded into."""
    origin = getattr(tower, "_weights_origin", None)
    return origin if isinstance(origin, WeightsOrigin) else WeightsOrigin()


def set_weights_origin(tower: nn.Module, origin: WeightsOrigin) -> None:
    """Note where a tower's weights come from, with a checksum (CRC-32) of every tensor of the file.

    By these, `came_from_file` later tells which tensors still equal the file's, so that a
    checkpoint need not hold them.

    Call it right after loading. `copy.deepcopy` keeps both notes.
    """
    # not through nn.Module's __setattr__: this is plain data
    tower.__dict__["_weights_origin"] = origin
    tower.__dict__["_file_checksums"] = {}
    if origin.kind == "random" or origin.inside:
        return
    absent = tuple(f"{part}." for part in origin.random_parts)
    tower.__dict__["_file_checksums"] = {
        name: _checksum(value)
        for name, value in tower.state_dict().items()
        if not name.startswith(absent)
    }


def came_from_file(tower: nn.Module, name: str, value: Tensor | None = None) -> bool:
    """Whether a tower's entry came from its file of weights.

    Args:
        tower: the tower.
        name: of an entry of its state.
        value: the entry's value now; if given, it has to equal the file's.
    """
    # peft inserts this into the names of the layers that it wraps
    name = name.replace(".base_layer.", ".")
    checksums = tower.__dict__.get("_file_checksums", {})
    return name in checksums and (value is None or _checksum(value) == checksums[name])


def values_digest(weights: Mapping[str, Tensor]) -> str:
    """A digest of names and values, 64 hexadecimal digits."""
    return _digest({name: _checksum(value) for name, value in weights.items()})


def file_values_digest(tower: nn.Module, *, without: Collection[str]) -> str:
    """The same digest of what a tower's file brought.

    Args:
        tower: the tower, as it was loaded.
        without: names that are left out.
    """
    checksums = tower.__dict__.get("_file_checksums", {})
    return _digest({name: value for name, value in checksums.items() if name not in without})


def _digest(checksums: Mapping[str, int]) -> str:
    lines = "".join(f"{name} {checksum:08x}\n" for name, checksum in sorted(checksums.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _checksum(value: Tensor) -> int:
    if value.is_meta:
        return 0
    flat = value.detach().cpu().contiguous().reshape(-1)
    return zlib.crc32(flat.view(torch.uint8).numpy())  # type: ignore[arg-type]
