"""Position tables that are computed, not learned: sines and cosines of rising wavelength.

Attention is all you need (Vaswani et al., 2017), section 3.5, for words; ETRIS and DETRIS use the
same along columns and rows of a map (released code). Tables are made once for each size and
device.
"""

from functools import lru_cache

import torch
from torch import Tensor

_CPU = torch.device("cpu")


@lru_cache(maxsize=32)
def sine_pos_embed_1d(length: int, width: int, device: torch.device = _CPU) -> Tensor:
    """A vector for each place in a sentence: channel 2k sin(p / 10000^(2k / C)), 2k + 1 the cosine.

    Args:
        length: words L.
        width: C, even.
        device: where the table is needed.

    Returns:
        (1, L, C).

    >>> sine_pos_embed_1d(3, 4)[0, 0].tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    with torch.inference_mode(False):
        return _waves(length, width).to(device)[None]


@lru_cache(maxsize=32)
def sine_pos_embed_2d(
    height: int, width: int, channels: int, device: torch.device = _CPU
) -> Tensor:
    """A vector for each place on a map: the first half tells the column, the second the row.

    Args:
        height: rows H.
        width: columns W.
        channels: C, divisible by 4.
        device: where the table is needed.

    Returns:
        (1, H W, C), row by row.
    """
    with torch.inference_mode(False):
        columns = _waves(width, channels // 2).expand(height, -1, -1)
        rows = _waves(height, channels // 2)[:, None].expand(-1, width, -1)
        return torch.cat([columns, rows], dim=-1).flatten(0, 1).to(device)[None]


def _waves(count: int, channels: int) -> Tensor:
    places = torch.arange(count, dtype=torch.float32)[:, None]
    even = torch.arange(0, channels, 2, dtype=torch.float32)
    angles = places * 10000 ** (-even / channels)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
