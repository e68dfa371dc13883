"""How long a training step of etris-mini takes, of this checkout and of another one beside it.

    python tests/benchmarks/training_step.py                       # medians of every variant
    python tests/benchmarks/training_step.py --against ../before   # and those of another checkout
    python tests/benchmarks/training_step.py --variants etris      # one variant alone

The variants are rows of the studies. A step is one of `risbook.train`: 32 samples of refscenes+ at
96 pixels, data included. Both checkouts take their steps in turn, each in a process of its own, so
that they meet the same load of the machine. Processor time is that of all threads together;
`OMP_NUM_THREADS` says how many there are.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
VARIANTS = ("etris", "frozen", "parallel", "full")
#: steps before the first that counts
WARMUP = 4


class Steps:
    """A training in a process of its own that takes a step whenever it is told to.

    Args:
        checkout: folder of the risbook that trains.
        variant: key of a run of the study "etris-pet".
        precision: as in `TrainingConfig`.
    """

    def __init__(self, checkout: Path, variant: str, precision: str) -> None:
        command = [sys.executable, __file__, "--train", variant, "--precision", precision]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "PYTHONPATH": str(checkout)},
        )
        self.times: list[tuple[float, float]] = []

    def take(self, *, count: bool = True) -> None:
        """Take a step; its processor time and wall time are kept."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        processor, wall = json.loads(self.process.stdout.readline())
        if count:
            self.times.append((processor, wall))

    def stop(self) -> None:
        """End the process."""
        self.process.communicate("stop\n")


def measure(variant: str, checkouts: dict[str, Path], rounds: int, precision: str) -> None:
    """Print the medians of a variant, in milliseconds, for every checkout."""
    trainings = {name: Steps(path, variant, precision) for name, path in checkouts.items()}
    for number in range(WARMUP + rounds):
        for training in trainings.values():
            training.take(count=number >= WARMUP)
    for name, training in trainings.items():
        training.stop()
        processor, wall = ([1000 * t for t in times] for times in zip(*training.times, strict=True))
        print(
            f"{variant:10} {name:8} {statistics.median(processor):8.0f} {min(processor):8.0f} "
            f"{statistics.median(wall):8.0f} {min(wall):8.0f}",
            flush=True,
        )


def train(variant: str, precision: str, on_step: Callable[[int, float], None]) -> None:
    """Train a variant until `on_step` raises KeyboardInterrupt."""
    from risbook.studies import STUDIES
    from risbook.training import TrainingConfig, train_system

    study = STUDIES["etris-pet"]
    (run,) = [run for run in study.runs if run.key == variant]
    config = TrainingConfig(
        system=study.system,
        data=study.data,
        overrides=run.overrides,
        steps=10**6,
        save_every=10**6,
        batch_size=study.batch_size,
        precision=precision,
    )
    with TemporaryDirectory() as folder, contextlib.suppress(KeyboardInterrupt):
        train_system(config, Path(folder) / "run", show_progress=False, on_step=on_step)


def train_in_turns(variant: str, precision: str) -> None:
    """The process of `Steps`: every line of the input is a step, or ends the training."""
    begun: list[tuple[float, float]] = []

    def wait(step: int, loss: float) -> None:
        now = time.process_time(), time.perf_counter()
        if begun:
            print(json.dumps([now[0] - begun[-1][0], now[1] - begun[-1][1]]), flush=True)
        if sys.stdin.readline() != "step\n":
            raise KeyboardInterrupt
        begun.append((time.process_time(), time.perf_counter()))

    train(variant, precision, wait)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--variants", nargs="+", default=VARIANTS)
    parser.add_argument("--rounds", type=int, default=20, help="steps that are measured")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--against", type=Path, help="the folder of another checkout")
    parser.add_argument("--train", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        train_in_turns(options.train, options.precision)
        return
    checkouts = {"this": ROOT, **({"other": options.against.resolve()} if options.against else {})}
    print(f"{'':19} {'processor time, ms':^17} {'wall time, ms':^17}")
    print(f"{'variant':10} {'checkout':8} {'median':>8} {'least':>8} {'median':>8} {'least':>8}")
    for variant in options.variants:
        measure(variant, checkouts, options.rounds, options.precision)


if __name__ == "__main__":
    main()
