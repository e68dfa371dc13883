"""Zoom Layers: maps of any size and width to one common, narrow grid, and back.

ETRIS (Xu et al., 2023), section 3.2: the Bridger's interaction works at one size and one small
width; a Zoom Layer in front of it brings each stage of the backbone there, one behind it brings
the result back. The released code uses 2x2 convolutions of stride 2 to shrink, 2x2 transposed
convolutions to enlarge, and 1x1 ones where the size is right ("deconv").

The paper's Table 5 compares it with three kinds that were not released. Ours are readings of it
that have the printed numbers of parameters, with RN101 and all three Bridgers:

- "interpolate", 1.45 M: convolutions, with bilinear resizing where a map has to grow;
- "linear", 5.77 M: one matrix over the channels and one over the positions, each with a bias, so
  that any outgoing position may ask any incoming one;
- "mlp", 1.68 M: the same, the matrix over the positions in two parts with as many numbers between
  them as the Bridger is wide.

The last two know the number of positions, and so work at one size of picture only.
"""

from typing import Literal, cast

import torch.nn.functional as F
from torch import Tensor, nn

from risbook.errors import RisbookError

ZoomKind = Literal["deconv", "interpolate", "linear", "mlp"]
KINDS: tuple[ZoomKind, ...] = ("deconv", "interpolate", "linear", "mlp")


def whole_factor(factor: float) -> tuple[int, int]:
    """How many times larger and how many times smaller a map becomes; one of the two is 1.

    Raises:
        RisbookError: unless the factor is n or 1 / n for a whole number n.

    >>> whole_factor(2), whole_factor(1 / 2)
    ((2, 1), (1, 2))
    """
    up, down = (max(1, round(one)) for one in (factor, 1 / factor if factor > 0 else 0))
    if abs(up / down - factor) > 1e-9:
        raise RisbookError(f"zoom factor {factor}: it must be n or 1 / n for a whole number n")
    return up, down


class Resize(nn.Module):
    """Bilinear resizing by a factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C, factor h, factor w)."""
        return F.interpolate(features, scale_factor=self.factor, mode="bilinear")


class PositionMap(nn.Module):
    """A learned map of the positions, the same for every channel.

    Args:
        side: side h = w of the incoming map.
        outgoing: side of the outgoing one.
        hidden: numbers between the two parts of the map; None for one matrix.
    """

    def __init__(self, side: int, outgoing: int, *, hidden: int | None = None) -> None:
        super().__init__()
        self.side = side
        self.outgoing = outgoing
        self.map: nn.Module = (
            nn.Linear(side**2, outgoing**2)
            if hidden is None
            else nn.Sequential(
                nn.Linear(side**2, hidden), nn.ReLU(), nn.Linear(hidden, outgoing**2)
            )
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, side, side) to (B, C, outgoing, outgoing).

        Raises:
            RisbookError: for a map of another size.
        """
        if features.shape[-2:] != (self.side, self.side):
            height, width = features.shape[-2:]
            raise RisbookError(
                f"this kind of Zoom Layer was made for maps of {self.side} x {self.side} "
                f"positions and got {height} x {width}; keep the picture's size, or choose the "
                "zoom 'deconv' or 'interpolate'"
            )
        mapped: Tensor = self.map(features.flatten(2))
        return mapped.reshape(*features.shape[:2], self.outgoing, self.outgoing)


def zoom_layer(
    inputs: int,
    outputs: int,
    *,
    factor: float = 1.0,
    kind: ZoomKind = "deconv",
    norm: bool = False,
    transpose: bool = False,
    side: int | None = None,
) -> nn.Module:
    """Make a Zoom Layer: map (B, inputs, h, w) to (B, outputs, factor h, factor w).

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        factor: how many times larger the outgoing map is: n or 1 / n for a whole number n.
        kind: how it is done; "deconv" is the released code's way.
        norm: batch norm and ReLU behind it, as in ETRIS' form for transformers.
        transpose: whether a layer of factor 1 is a transposed convolution, which computes the
            same but keeps its weight the other way round; the released code has both.
        side: h = w, for the kinds "linear" and "mlp".

    Raises:
        RisbookError: for another factor or kind, or if the side is missing.

    >>> import torch
    >>> zoom_layer(8, 2, factor=1 / 2)(torch.zeros(1, 8, 4, 6)).shape
    torch.Size([1, 2, 2, 3])
    """
    up, down = whole_factor(factor)
    if kind not in KINDS:
        raise RisbookError(f"zoom {kind!r}: there are {', '.join(KINDS)}")
    layer: nn.Module
    if kind == "deconv":
        layer = _convolution(inputs, outputs, up, down, transpose=transpose)
    elif kind == "interpolate":
        layer = _convolution(inputs, outputs, 1, down)
        if up > 1:
            layer = nn.Sequential(layer, Resize(factor))
    else:
        layer = _by_position(inputs, outputs, factor, kind=kind, side=side)
    _start(layer)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU()) if norm else layer


def _convolution(
    inputs: int, outputs: int, up: int, down: int, *, transpose: bool = False
) -> nn.Module:
    if up > 1 or (transpose and down == 1):
        return nn.ConvTranspose2d(inputs, outputs, up, stride=up, bias=False)
    return nn.Conv2d(inputs, outputs, down, stride=down, bias=False)


def _by_position(
    inputs: int, outputs: int, factor: float, *, kind: ZoomKind, side: int | None
) -> nn.Module:
    if side is None:
        raise RisbookError(f"a zoom of kind {kind!r} has to know the side of the maps it gets")
    narrow = min(inputs, outputs)
    positions = PositionMap(side, round(side * factor), hidden=narrow if kind == "mlp" else None)
    channels = nn.Conv2d(inputs, outputs, 1)
    # Positions are mapped where there are fewer channels, which costs less.
    layers = (channels, positions) if outputs < inputs else (positions, channels)
    return nn.Sequential(*layers)


def _start(layer: nn.Module) -> None:
    """Draw weights as the released code does: Kaiming's normal rule, fan-out.

    For a transposed convolution the library takes the incoming channels for the fan-out, and so
    does the released code.
    """
    for module in layer.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            weight = cast(nn.Parameter, module.weight)
            nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
