"""Zoom Layers: maps of any size and channels to one common, narrow grid, and back.

ETRIS (Xu et al., 2023), section 3.2: the interaction of a Bridger works at one grid and few
channels. A Zoom Layer in front of it brings the map of each stage there, one after it brings the
result back. The released code uses 2x2 convolutions of stride 2 to reduce, 2x2 transposed
convolutions to enlarge, and 1x1 convolutions where the grid is right ("deconv").

The paper's Table 5 compares it with three forms that were not released. Ours are readings of it
that have the printed numbers of parameters, with RN101 and all three Bridgers:

- "interpolate", 1.45 M: convolutions, with bilinear resizing where a map is enlarged;
- "linear", 5.77 M: one matrix over the channels and one over the positions, each with a bias, so
  that any position of the output may depend on any position of the input;
- "mlp", 1.68 M: the same, the matrix over the positions in two parts with as many channels between
  them as the Bridger has.

The last two have weights per position, and so work at one image size only.
"""

from typing import Literal, cast, get_args

from torch import Tensor, nn

from risbook.errors import ArgumentError
from risbook.layers.convolutions import resize_convolution

Zoom = Literal["deconv", "interpolate", "linear", "mlp"]
ZOOMS: tuple[Zoom, ...] = get_args(Zoom)


class ZoomLayer(nn.Sequential):
    """Map (B, in_dim, h, w) to (B, out_dim, factor h, factor w).

    Args:
        in_dim: channels of the input.
        out_dim: channels of the output.
        factor: ratio of the sides, n or 1 / n for a whole number n.
        zoom: "deconv" as released, or one of the three other forms above.
        norm_relu: whether batch norm and ReLU follow, as in ETRIS' form for transformers.
        transpose: whether factor 1 is a transposed convolution, as in parts of the released code.
            It computes the same, but its weight is stored as (in, out, 1, 1), not (out, in, 1, 1),
            and its initial weights have the deviation sqrt(2 / in), not sqrt(2 / out).
        map_size: h = w, for the zooms "linear" and "mlp".

    Raises:
        ArgumentError: for another factor or zoom, or if the side is missing.

    >>> import torch
    >>> ZoomLayer(8, 2, factor=1 / 2)(torch.zeros(1, 8, 4, 6)).shape
    torch.Size([1, 2, 2, 3])
    """

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        *,
        factor: float = 1.0,
        zoom: Zoom = "deconv",
        norm_relu: bool = False,
        transpose: bool = False,
        map_size: int | None = None,
    ) -> None:
        if zoom not in ZOOMS:
            raise ArgumentError(f"zoom {zoom!r}: there are {', '.join(ZOOMS)}")
        resize: nn.Module
        if zoom == "deconv":
            resize = resize_convolution(in_dim, out_dim, factor, transpose=transpose)
        elif zoom == "interpolate":
            resize = resize_convolution(in_dim, out_dim, min(factor, 1.0))
            if factor > 1:
                resize = nn.Sequential(resize, nn.Upsample(scale_factor=factor, mode="bilinear"))
        else:
            resize = _position_wise(in_dim, out_dim, factor, zoom=zoom, map_size=map_size)
        _init_convolutions(resize)
        super().__init__(resize, *((nn.BatchNorm2d(out_dim), nn.ReLU()) if norm_relu else ()))


class SpatialLinear(nn.Module):
    """A learned linear map over the positions, the same for every channel.

    Args:
        in_side: side of the input map.
        out_side: side of the output map.
        hidden_dim: values between the two parts of the map; None for one matrix.
    """

    def __init__(self, in_side: int, out_side: int, *, hidden_dim: int | None = None) -> None:
        super().__init__()
        self.in_side = in_side
        self.out_side = out_side
        self.linear: nn.Module = (
            nn.Linear(in_side**2, out_side**2)
            if hidden_dim is None
            else nn.Sequential(
                nn.Linear(in_side**2, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, out_side**2)
            )
        )

    def forward(self, feature_map: Tensor) -> Tensor:
        """Map (B, C, in_side, in_side) to (B, C, out_side, out_side).

        Raises:
            ArgumentError: for a map of another size.
        """
        if feature_map.shape[-2:] != (self.in_side, self.in_side):
            height, width = feature_map.shape[-2:]
            raise ArgumentError(
                f"this Zoom Layer was made for maps of {self.in_side} x {self.in_side} "
                f"positions and got {height} x {width}; keep the image size, or choose the zoom "
                "'deconv' or 'interpolate'"
            )
        mapped: Tensor = self.linear(feature_map.flatten(2))
        return mapped.reshape(*feature_map.shape[:2], self.out_side, self.out_side)


def _position_wise(
    in_dim: int, out_dim: int, factor: float, *, zoom: Zoom, map_size: int | None
) -> nn.Module:
    if map_size is None:
        raise ArgumentError(f"the zoom {zoom!r} needs map_size=, the side of its input maps")
    narrow = min(in_dim, out_dim)
    hidden_dim = narrow if zoom == "mlp" else None
    spatial = SpatialLinear(map_size, round(map_size * factor), hidden_dim=hidden_dim)
    channels = nn.Conv2d(in_dim, out_dim, 1)
    # Positions are mapped where there are fewer channels, which costs less.
    layers = (channels, spatial) if out_dim < in_dim else (spatial, channels)
    return nn.Sequential(*layers)


def _init_convolutions(layer: nn.Module) -> None:
    """Weights as in the released code: Kaiming's normal rule, fan-out.

    For a transposed convolution torch takes the input channels for the fan-out, and so does the
    released code.
    """
    for module in layer.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            weight = cast(nn.Parameter, module.weight)
            nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
