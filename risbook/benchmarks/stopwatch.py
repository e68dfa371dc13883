"""Wall time and processor time of a computation, and the peak of the machine beside it.

On a machine that computes other things as well, processor time says more than wall time. The
share of the peak compares machines: operations per second of the computation, divided by those of
a matrix product. It is the hardware FLOPs utilisation (HFU) of PaLM (Chowdhery et al., 2022): the
operations that were carried out are counted, those of recomputation included.
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
        """The time that counts: on a CPU processor seconds per thread, on a GPU the wall time.

        Processor seconds per thread are those of all threads, divided by the number of threads of
        torch. They are a lower bound of the wall time on that many idle cores; only a computation
        that keeps every thread busy reaches the bound. With one thread they are equal to the wall
        time on an idle core, as long as the computation waits for nothing.
        """
        return self.processor / torch.get_num_threads() if device.type == "cpu" else self.wall


def measure_duration(function: Callable[[], object], device: torch.device) -> Duration:
    """Run a function, and wait until the device has finished it."""
    synchronise(device)
    wall, processor = time.perf_counter(), time.process_time()
    function()
    synchronise(device)
    return Duration(time.perf_counter() - wall, time.process_time() - processor)


def time_unit(device: torch.device) -> str:
    """The unit of `Duration.seconds`, in words."""
    if device.type != "cpu":
        return "wall seconds"
    count = torch.get_num_threads()
    return f"processor seconds per thread, {count} thread{'s' if count > 1 else ''}"


def synchronise(device: torch.device) -> None:
    """Wait for a GPU; a CPU has finished when a call returns."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type != "cpu" and hasattr(torch, "accelerator"):  # torch 2.6 or later
        torch.accelerator.synchronize()


def measure_peak(
    device: torch.device, dtype: torch.dtype = torch.float32, *, rounds: int = 3
) -> float:
    """Operations per second of a product of two square matrices, the best of several."""
    side = SIDES.get(device.type, min(SIDES.values()))
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    left @ right  # the first product is slower
    durations = [measure_duration(lambda: left @ right, device) for _ in range(rounds)]
    return 2 * side**3 / min(duration.seconds(device) for duration in durations)


def reset_peak_memory(device: torch.device) -> None:
    """Let `peak_memory` count from here on; that of a process cannot be reset."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> int | None:
    """The most memory, bytes: of a GPU's tensors since the reset, or else of the whole process.

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
