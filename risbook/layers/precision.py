"""The arithmetic of a computation: float32, bf16 or fp16."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch

from risbook.config import Precision
from risbook.errors import ArgumentError

#: the float type of each arithmetic
DTYPES = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def _cpu_multiplies_bf16() -> bool:
    """Whether the processor has instructions for bf16 products; without them bf16 is slower."""
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        probe = getattr(torch.cpu, name, None)
        if probe is not None and probe():
            return True
    return False


@contextmanager
def without_tf32() -> Iterator[None]:
    """Compute convolutions of float32 in float32, also on a GPU; as a context or a decorator.

    On Ampere GPUs and later ones torch computes them in TF32, which keeps 10 of the 23 bits behind
    the point, unless it is told not to. It computes matrix products in float32.

    >>> with without_tf32():
    ...     torch.backends.cudnn.allow_tf32
    False
    """
    cudnn: Any = torch.backends.cudnn
    # allow_tf32 cannot be read where somebody has set one of these two
    before = cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision
    cudnn.allow_tf32 = False
    try:
        yield
    finally:
        cudnn.allow_tf32 = before == ("tf32", "tf32")
        if (cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision) != before:
            cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision = before


def choose_precision(requested: Precision, device: torch.device) -> Literal["no", "bf16", "fp16"]:
    """Replace "auto" by the fastest arithmetic of the device.

    Args:
        requested: "auto", or an arithmetic that is returned unchanged.
        device: where the run computes.

    Returns:
        "bf16" on GPUs and processors with bf16 instructions, "fp16" on older GPUs (a T4, say),
        "no" (float32) elsewhere.

    Raises:
        ArgumentError: for fp16 on a CPU: the gradient scaler needs a GPU.

    >>> choose_precision("no", torch.device("cpu"))
    'no'
    """
    if requested == "fp16" and device.type != "cuda":
        raise ArgumentError("precision fp16 needs a GPU; choose auto, bf16 or no")
    if requested != "auto":
        return requested
    if device.type == "cuda":
        # is_bf16_supported() is also true where bf16 is only emulated, as on a T4
        return "bf16" if torch.cuda.get_device_capability(device)[0] >= 8 else "fp16"
    return "bf16" if device.type == "cpu" and _cpu_multiplies_bf16() else "no"
