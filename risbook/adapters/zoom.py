"""Zoom Layers: maps of any size and width to one common, narrow grid, and back.

ETRIS (Xu et al., 2023), section 3.2: the Bridger's interaction works at one size and one small
width; a Zoom Layer in front of it brings each stage of the backbone there, one behind it brings
the result back. The released code uses 2x2 convolutions of stride 2 to shrink, 2x2 transposed
convolutions to enlarge, and 1x1 ones where the size is right.

The paper's Table 5 compares four kinds. For "interpolate" (1x1 convolutions around bilinear
resizing where a map has to grow) our reading has the paper's count, 1.45 M. "linear" and "mlp" are
known by their names alone; ours are 1x1 maps, one or two of them, around bilinear resizing, and
have fewer parameters than the paper's.
"""

from typing import Literal, cast

import torch.nn.functional as F
from torch import Tensor, nn

from risbook.errors import RisbookError

ZoomKind = Literal["deconv", "interpolate", "linear", "mlp"]
KINDS: tuple[ZoomKind, ...] = ("deconv", "interpolate", "linear", "mlp")


class Resize(nn.Module):
    """Bilinear resizing by a factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C, factor h, factor w)."""
        return F.interpolate(features, scale_factor=self.factor, mode="bilinear")


def zoom_layer(
    inputs: int,
    outputs: int,
    *,
    factor: float = 1.0,
    kind: ZoomKind = "deconv",
    norm: bool = False,
    transpose: bool = False,
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

    Raises:
        RisbookError: for another factor or kind.

    >>> import torch
    >>> zoom_layer(8, 2, factor=1 / 2)(torch.zeros(1, 8, 4, 6)).shape
    torch.Size([1, 2, 2, 3])
    """
    up, down = round(factor), round(1 / factor) if factor > 0 else 0
    if not ((up >= 1 and up == factor) or (down >= 1 and abs(down * factor - 1) < 1e-9)):
        raise RisbookError(f"zoom factor {factor}: it must be n or 1 / n for a whole number n")
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
        middle = 2 * min(inputs, outputs)
        layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, 1)]
        if kind == "mlp":
            layers = [nn.Conv2d(inputs, middle, 1), nn.GELU(), nn.Conv2d(middle, outputs, 1)]
        if factor != 1:
            layers.insert(0 if factor < 1 else len(layers), Resize(factor))
        layer = nn.Sequential(*layers)
    _start(layer)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU()) if norm else layer


def _convolution(
    inputs: int, outputs: int, up: int, down: int, *, transpose: bool = False
) -> nn.Module:
    if up > 1 or (transpose and down <= 1):
        return nn.ConvTranspose2d(inputs, outputs, max(up, 1), stride=max(up, 1), bias=False)
    return nn.Conv2d(inputs, outputs, max(down, 1), stride=max(down, 1), bias=False)


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
