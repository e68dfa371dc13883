"""The arithmetic of a computation: float32, bf16 or fp16."""

from typing import Literal

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
