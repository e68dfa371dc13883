"""Guards of MiCA's released code against numbers that half precision cannot hold.

The released training computes in float16, whose largest number is 65,504. In float32, and with the
weights of a training that has not diverged, no guard changes a number.
"""

import torch
from torch import Tensor

#: the largest value that the guarded layers of MiCA hand on
LIMIT = 1e4


def limit(x: Tensor) -> Tensor:
    """Values from -`LIMIT` to `LIMIT`; NaN stays, and beyond the limits the gradient is zero.

    >>> limit(torch.tensor([2.0, -1e9]))
    tensor([ 2.0000e+00, -1.0000e+04])
    """
    return x.clamp(-LIMIT, LIMIT)


def finite_or_zero(x: Tensor) -> Tensor:
    """Zero in place of NaN and of the infinities, with a gradient of zero there.

    NaN from a diverged run is hidden by it.

    >>> finite_or_zero(torch.tensor([2.0, float("nan"), float("inf")]))
    tensor([2., 0., 0.])
    """
    return torch.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0)
