"""A training in a process of its own, for tests that stop it or run beside it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from risbook.config import to_values
from risbook.training import TrainingConfig

#: Trains, and prints the number of every step. After step `hold` it waits for a line on stdin.
PROGRAM = """
import json, sys
from pathlib import Path
from risbook.config import from_values
from risbook.errors import RisbookError, StoppedError
from risbook.training import TrainingConfig, train_system

config = from_values(TrainingConfig, json.loads(sys.argv[1]))
hold = int(sys.argv[4])

def report(step, loss):
    print(step, flush=True)
    if step == hold:
        sys.stdin.readline()

try:
    train_system(config, Path(sys.argv[2]), resume=sys.argv[3] == "resume", show_progress=False,
                 on_step=report)
except RisbookError as error:
    sys.exit(f"error: {error}")
except StoppedError as stop:
    print(f"stop: {stop}", file=sys.stderr)
    sys.exit(stop.exit_code)
"""

Start = Callable[..., "subprocess.Popen[str]"]


def start_run(
    config: TrainingConfig, folder: Path, *, resume: bool = False, hold: int = 0
) -> "subprocess.Popen[str]":
    """Start a training."""
    mode = "resume" if resume else "new"
    words = [json.dumps(to_values(config)), str(folder), mode, str(hold)]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As many threads as here: sums are equal bit for bit only in the same order.
        env={
            **os.environ,
            "OMP_NUM_THREADS": str(torch.get_num_threads()),
            "ACCELERATE_USE_CPU": "1",
        },
    )


def read_until(process: "subprocess.Popen[str]", step: int) -> None:
    """Read the numbers of steps until one of them is reached."""
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= step:
            return
    assert process.stderr is not None
    raise AssertionError(f"the run ended before step {step}: {process.stderr.read()}")
