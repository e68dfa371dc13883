"""Position embeddings that are computed: sines and cosines of rising wavelength.

Attention is all you need (Vaswani et al., 2017), section 3.5, for sentences; the released
repositories of ETRIS (Xu et al., 2023) and DETRIS (Huang et al., 2025) use the same along columns
and rows of a map. Each is computed once per size and device.
"""

from functools import lru_cache

import torch
from torch import Tensor

_CPU = torch.device("cpu")


@lru_cache(maxsize=32)
def sine_pos_embed_1d(length: int, dim: int, device: torch.device = _CPU) -> Tensor:
    """Position p, channel 2k: sin(p / 10000^(2k / C)); channel 2k + 1: the cosine.

    Args:
        length: L, tokens.
        dim: C, even.
        device: of the result.

    Returns:
        (1, L, C).

    >>> sine_pos_embed_1d(3, 4)[0, 0].tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    with torch.inference_mode(False):
        return _waves(length, dim).to(device)[None]


@lru_cache(maxsize=32)
def sine_pos_embed_2d(height: int, width: int, dim: int, device: torch.device = _CPU) -> Tensor:
    """The first half of the channels embeds the column, the second half the row.

    Args:
        height: h, rows.
        width: w, columns.
        dim: C, divisible by 4.
        device: of the result.

    Returns:
        (1, h w, C), row by row.
    """
    with torch.inference_mode(False):
        columns = _waves(width, dim // 2).expand(height, -1, -1)
        rows = _waves(height, dim // 2)[:, None].expand(-1, width, -1)
        return torch.cat([columns, rows], dim=-1).flatten(0, 1).to(device)[None]


def _waves(count: int, dim: int) -> Tensor:
    positions = torch.arange(count, dtype=torch.float32)[:, None]
    even = torch.arange(0, dim, 2, dtype=torch.float32)
    angles = positions * 10000 ** (-even / dim)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
