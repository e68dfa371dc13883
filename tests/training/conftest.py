"""Runs of seconds, for the tests of this room."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from run_process import Start, start_run

from risbook.training import TrainingConfig


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a training in a process of its own; what still runs at the end is killed."""
    processes: list[subprocess.Popen[str]] = []

    def start_process(*arguments: Any, **options: Any) -> "subprocess.Popen[str]":
        processes.append(start_run(*arguments, **options))
        return processes[-1]

    yield start_process
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def config(tiny_world: Path) -> TrainingConfig:
    sizes = {
        "image_size": 32,
        "widths": (8, 8, 8, 16),  # eight at least: see tests/cli/test_cli.py
        "blocks": 1,
        "word_width": 8,
        "text_width": 16,
        "decoder_width": 16,
    }
    return TrainingConfig(
        system="first-model",
        data=(str(tiny_world / "refscenes"),),
        overrides=sizes,
        steps=12,
        batch_size=8,
        warmup=2,
        precision="no",
        save_every=3,
        log_every=2,
    )


@pytest.fixture(scope="session")
def etris_config(tiny_world: Path, mini_towers: Path) -> TrainingConfig:
    return TrainingConfig(
        system="etris-mini-rn",
        data=(str(tiny_world / "refscenes"),),
        overrides={"weights": str(mini_towers), "image_size": 96, "dropout": 0.1},
        steps=4,
        batch_size=4,
        warmup=1,
        precision="no",
        save_every=2,
        log_every=1,
    )
