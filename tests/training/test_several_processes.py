"""Several processes train as one does, and go on after a kill."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from process_group import finish_group, kill_group, start_group
from run_process import read_until

from risbook.training import TrainingConfig, read_log, train_system


@contextmanager
def group_of(*arguments: Any, **options: Any) -> Iterator[list[subprocess.Popen[str]]]:
    """Start the processes; what still runs at the end is killed."""
    group = start_group(*arguments, **options)
    try:
        yield group
    finally:
        kill_group([process for process in group if process.poll() is None])


def read_losses(folder: Path) -> list[float]:
    return [row["loss"] for row in read_log(folder / "log.jsonl") if row["kind"] == "step"]


@pytest.mark.slow
def test_two_processes_have_the_loss_curve_of_one(tiny_world: Path, tmp_path: Path) -> None:
    """A batch of 8 in one process, and 4 samples in each of two; without dropout."""
    config = TrainingConfig(
        system="detris-mini",
        data=(str(tiny_world / "refscenes"),),
        steps=5,
        batch_size=8,
        warmup=0,
        optimizer="sgd",
        learning_rate=0.002,
        precision="no",
        log_every=1,
    )
    train_system(config, tmp_path / "one", show_progress=False)
    # The statistics of 4 samples, as two processes without `sync_batch_norm` have them.
    train_system(replace(config, micro_batch=4), tmp_path / "parts", show_progress=False)
    with group_of(replace(config, sync_batch_norm=True), tmp_path / "two") as group:
        finish_group(group)
    alone, parts, group_losses = (read_losses(tmp_path / name) for name in ("one", "parts", "two"))
    # float32 sums in another order
    assert group_losses == pytest.approx(alone, abs=1e-4)
    assert parts != pytest.approx(alone, abs=1e-3)


@pytest.mark.slow
def test_two_processes_killed_at_any_moment_go_on_bit_for_bit(
    etris_config: TrainingConfig, tmp_path: Path
) -> None:
    """With dropout: each process goes on with its own stream of random numbers."""
    config = replace(etris_config, steps=6, save_every=2)
    killed = tmp_path / "killed"
    with group_of(config, killed, hold=4) as group:
        read_until(group[0], 3)
        kill_group(group)
    assert not (killed / "model.safetensors").exists()
    assert (killed / "progress.pt").is_file()
    for folder, resume in ((killed, True), (tmp_path / "whole", False)):
        with group_of(config, folder, resume=resume) as group:
            finish_group(group)
    assert read_losses(killed) == read_losses(tmp_path / "whole")
    whole, two = ((p / "model.safetensors").read_bytes() for p in (tmp_path / "whole", killed))
    assert whole == two
