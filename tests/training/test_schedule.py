"""The curves of the learning rate, and a run under the released one."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from risbook.data import open_data
from risbook.data.samples import TrainingSamples
from risbook.errors import RisbookError
from risbook.training import TrainingConfig, read_log, train_system
from risbook.training.schedule import milestone_lr


def falls_at(steps: int, epoch_steps: int) -> int | None:
    """The first step that has another rate than the first; None if there is none."""
    rates = [
        milestone_lr(step, peak=1.0, steps=steps, epoch_steps=epoch_steps) for step in range(steps)
    ]
    assert set(rates) <= {1.0, 0.1} and rates == sorted(rates, reverse=True)
    return rates.index(0.1) if 0.1 in rates else None


@pytest.mark.parametrize(
    ("steps", "epoch_steps", "step"),
    [
        (500, 10, 350),  # as released: after 35 of 50
        (100, 10, 70),
        (30, 10, 20),  # 70 % is 2.1 epochs
        (50, 10, 40),  # 3.5 epochs, half way: the later one
        (37, 10, 30),  # 2.59 epochs; the run ends inside its fourth
        (12, 10, 10),
        (10, 10, None),
        (3, 10, None),
        (10, 1, 7),
    ],
)
def test_the_rate_falls_after_the_epoch_nearest_to_its_place(
    steps: int, epoch_steps: int, step: int | None
) -> None:
    assert falls_at(steps, epoch_steps) == step


@pytest.fixture
def config(config: TrainingConfig) -> TrainingConfig:
    return replace(
        config,
        learning_rate=1e-3,
        schedule="milestones",
        batch_size=16,
        save_every=1,
        log_every=1,
    )


def test_a_stopped_run_keeps_to_the_curve(config: TrainingConfig, tmp_path: Path) -> None:
    objects = len(TrainingSamples(sources=[open_data(config.data[0])], image_size=1))
    epoch_steps = objects // config.batch_size
    assert epoch_steps > 1
    config = replace(config, steps=3 * epoch_steps)
    fall = 2 * epoch_steps
    train_system(config, tmp_path / "whole", show_progress=False)

    def stop(step: int, loss: float) -> None:
        if step == stop_at:
            raise KeyboardInterrupt

    # Twice: inside the first epoch, and after the last step at the higher rate.
    for stop_at in (1, fall):
        with pytest.raises(KeyboardInterrupt):
            train_system(
                config, tmp_path / "stopped", resume=stop_at > 1, show_progress=False, on_step=stop
            )
    progress = tmp_path / "stopped" / "progress.pt"
    state = torch.load(progress, weights_only=True)
    for group in state["optimizer"]["param_groups"]:
        del group["initial_lr"], group["lr_scale"]
    torch.save(state, progress)
    train_system(config, tmp_path / "stopped", resume=True, show_progress=False)
    first, second = (
        (tmp_path / run / "model.safetensors").read_bytes() for run in ("whole", "stopped")
    )
    assert first == second
    for run in ("whole", "stopped"):
        rates = [row["lr"] for row in read_log(tmp_path / run / "log.jsonl")]
        assert rates == [1e-3] * fall + [1e-4] * epoch_steps


def test_another_schedule_is_another_run(config: TrainingConfig, tmp_path: Path) -> None:
    config = replace(config, steps=1)
    train_system(config, tmp_path / "run", show_progress=False)
    other = replace(config, log_every=1, num_workers=1)  # which changes no weight
    train_system(other, tmp_path / "run", resume=True, show_progress=False)
    with pytest.raises(RisbookError, match="that run had another schedule"):
        train_system(
            replace(config, schedule="cosine"),
            tmp_path / "run",
            resume=True,
            show_progress=False,
        )


@pytest.mark.parametrize(
    ("name", "default", "other"),
    [("schedule", "cosine", "milestones"), ("lr_multipliers", {}, {"bridgers": 10.0})],
)
def test_a_run_that_was_written_before_there_was_a_choice(
    config: TrainingConfig, tmp_path: Path, name: str, default: Any, other: Any
) -> None:
    path = tmp_path / "training.json"
    now = replace(config, **{name: other})
    now.save(path)
    assert TrainingConfig.load(path) == now
    before = replace(config, **{name: default})
    before.save(path)
    values = json.loads(path.read_text())
    del values[name]
    path.write_text(json.dumps(values))
    assert TrainingConfig.load(path) == before
    assert before.difference(TrainingConfig.load(path)) == []
    assert now.difference(TrainingConfig.load(path)) == [name]


def test_a_run_from_before_there_was_a_choice_goes_on(
    config: TrainingConfig, tmp_path: Path
) -> None:
    config = replace(config, steps=2)
    train_system(config, tmp_path / "whole", show_progress=False)

    def stop(step: int, loss: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_system(config, tmp_path / "stopped", show_progress=False, on_step=stop)
    path = tmp_path / "stopped" / "training.json"
    values = json.loads(path.read_text())
    del values["lr_multipliers"]
    path.write_text(json.dumps(values))
    progress = tmp_path / "stopped" / "progress.pt"
    state = torch.load(progress, weights_only=True)
    for group in state["optimizer"]["param_groups"]:
        del group["initial_lr"], group["lr_scale"]
    torch.save(state, progress)
    train_system(config, tmp_path / "stopped", resume=True, show_progress=False)
    first, second = (
        (tmp_path / run / "model.safetensors").read_bytes() for run in ("whole", "stopped")
    )
    assert first == second


def test_a_schedule_that_there_is_not(config: TrainingConfig) -> None:
    with pytest.raises(RisbookError, match="schedule is 'linear'; it must be 'cosine' or 'miles"):
        replace(config, schedule="linear")
