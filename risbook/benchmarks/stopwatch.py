"""Wall time and processor time of a computation, and the peak of the machine beside it.

On a machine that computes other things as well, processor time says more than wall time. The
share of the peak compares machines: operations per second of the computation, divided by those of
a matrix product. It is the model FLOPs utilisation (MFU) of PaLM (Chowdhery et al., 2022), with the
operations that were carried out.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

#: side of the matrices in the product, by device
SIDES = {"cpu": 2048, "cuda": 8192}


@dataclass(frozen=True)
class Duration:
    """How long something took.

    Args:
        wall: seconds on the clock.
        processor: seconds of all threads of this process together.
    """

    wall: float
    processor: float

    def seconds(self, device: torch.device) -> float:
        """The time that counts: on a CPU that of the threads divided by their number.

        That is the wall time of a CPU that has nothing else to do. On a GPU it is the wall time.
        """
        return self.processor / torch.get_num_threads() if device.type == "cpu" else self.wall


def measure_duration(function: Callable[[], object], device: torch.device) -> Duration:
    """Run a function, and wait until the device has finished it."""
    synchronise(device)
    wall, processor = time.perf_counter(), time.process_time()
    function()
    synchronise(device)
    return Duration(time.perf_counter() - wall, time.process_time() - processor)


def synchronise(device: torch.device) -> None:
    """Wait for a GPU; a CPU has finished when a call returns."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure_peak(
    device: torch.device, dtype: torch.dtype = torch.float32, *, rounds: int = 3
) -> float:
    """Operations per second of a product of two square matrices, the best of several."""
    side = SIDES.get(device.type, min(SIDES.values()))
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    left @ right  # the first product is slower
    durations = [measure_duration(lambda: left @ right, device) for _ in range(rounds)]
    return 2 * side**3 / min(duration.seconds(device) for duration in durations)


def peak_memory(device: torch.device) -> int | None:
    """The most memory so far, bytes: of a GPU's tensors, or else of the whole process.

    None where the system does not tell.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return None
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else 1024 * largest
