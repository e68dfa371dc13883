"""A training on several processes of this machine, for tests that stop it."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import torch
from run_process import PROGRAM

from risbook.config import to_values
from risbook.training import TrainingConfig

#: the first process of a group alone prints its steps
GROUP_PROGRAM = "import os\n" + PROGRAM.replace(
    "    print(step, flush=True)", "    if os.environ['RANK'] == '0': print(step, flush=True)"
)


def free_port() -> int:
    """A port of the loopback interface on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_group(
    config: TrainingConfig, folder: Path, *, size: int = 2, resume: bool = False, hold: int = 0
) -> list["subprocess.Popen[str]"]:
    """Start the processes of a training, as `accelerate launch` and `torchrun` do."""
    mode = "resume" if resume else "new"
    words = [json.dumps(to_values(config)), str(folder), mode, str(hold)]
    shared = {
        **os.environ,
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
        "ACCELERATE_USE_CPU": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size),
    }
    return [
        subprocess.Popen(
            [sys.executable, "-c", GROUP_PROGRAM, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(size)
    ]


def kill_group(group: list["subprocess.Popen[str]"]) -> None:
    """Kill every process at once, as a machine that is switched off does."""
    for process in group:
        process.kill()
    for process in group:
        process.communicate()


def finish_group(group: list["subprocess.Popen[str]"]) -> None:
    """Wait for the end of a training that succeeds."""
    for process in group:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
