"""The random generators of all processes of a run.

Dropout draws from them. Each process has its own stream: with equal streams, every process would
drop the same channels of its part of a batch.
"""

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor

#: the states of the generators of one process: that of the CPU, and that of its GPU if it has one
Generators = dict[str, Tensor | None]


def seed_process(seed: int, process: int) -> None:
    """Give a process its stream; the first process keeps the one that `seed` has already begun."""
    if process:
        torch.manual_seed(seed + 1_000_003 * process)


def gather_generators(accelerator: Accelerator) -> list[Generators]:
    """The states of the generators of every process, in their order."""
    device = accelerator.device
    own: Generators = {
        "cpu": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }
    return list(gather_object([own])) if accelerator.num_processes > 1 else [own]


def set_generators(generators: list[Generators], process: int) -> None:
    """Restore those of a process; a process that the saved run did not have keeps its own."""
    if process >= len(generators):
        return
    own = generators[process]
    if own["cpu"] is not None:
        torch.set_rng_state(own["cpu"])
    if own["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(own["cuda"])
