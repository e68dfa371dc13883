"""The training loop: what it leaves, how it stops, and how it goes on."""

import gc
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from run_process import PROGRAM, Start, read_until
from safetensors.torch import load_file

from risbook.config import to_values
from risbook.errors import ArgumentError, RisbookError, TrainingDivergedError
from risbook.systems import FirstModel, build_system, load_system
from risbook.training import TrainingConfig, read_log, train_system


def test_a_run_learns_and_leaves_its_files(config: TrainingConfig, tmp_path: Path) -> None:
    steps_run: list[int] = []
    run = tmp_path / "run"
    config = replace(
        config,
        steps=60,
        learning_rate=5e-3,
        eval_splits=(f"{config.data[0]}:val",),
        eval_every=30,
        eval_limit=10,
    )
    train_system(config, run, show_progress=False, on_step=lambda step, _: steps_run.append(step))
    assert steps_run == list(range(1, 61))
    names = {path.name for path in run.iterdir()}
    assert names == {
        ".run.lock",
        "README.md",
        "config.json",
        "log.jsonl",
        "model.safetensors",
        "progress.pt",
        "tokenizer.json",
        "training.json",
    }
    rows = read_log(run / "log.jsonl")
    losses = [row["loss"] for row in rows if row["kind"] == "step"]
    assert len(losses) == 30
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    evaluations = [row for row in rows if row["kind"] == "evaluation"]
    assert [(row["step"], row["split"], row["count"]) for row in evaluations] == [
        (30, "val", 10),
        (60, "val", 10),
    ]
    assert TrainingConfig.load(run / "training.json") == config
    again = load_system(run)
    assert again.name == "first-model"
    [noted_run] = again.about["training"]
    assert (noted_run["steps"], noted_run["data"]) == (60, list(config.data))
    assert f"- 60 steps of {config.batch_size} samples on" in (run / "README.md").read_text("utf-8")


def test_the_same_seed_gives_the_same_weights(config: TrainingConfig, tmp_path: Path) -> None:
    for name in ("one", "two"):
        train_system(config, tmp_path / name, show_progress=False)
    train_system(replace(config, seed=1), tmp_path / "other", show_progress=False)
    first, second, other = (
        (tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two", "other")
    )
    assert first == second
    assert first != other


def test_killed_at_any_moment_it_goes_on_bit_for_bit(
    config: TrainingConfig, tmp_path: Path, start: Start
) -> None:
    killed = tmp_path / "killed"
    for kill_after in (2, 4, 8):  # before any state, just after one, between two
        # It may be anywhere in the next two steps, but never at the end.
        process = start(config, killed, resume=kill_after > 2, hold=kill_after + 2)
        read_until(process, kill_after)
        time.sleep(0.013 * kill_after)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not (killed / "model.safetensors").exists()
    last = start(config, killed, resume=True)
    stdout, _ = last.communicate()
    assert last.returncode == 0
    steps = [int(line) for line in stdout.splitlines()]
    assert 1 < steps[0] <= 10
    assert steps[-1] == 12

    train_system(config, tmp_path / "whole", show_progress=False)
    whole = (tmp_path / "whole" / "model.safetensors").read_bytes()
    two = (tmp_path / "killed" / "model.safetensors").read_bytes()
    assert whole == two
    rows = [read_log(tmp_path / name / "log.jsonl") for name in ("whole", "killed")]
    for row in rows[0] + rows[1]:
        row.pop("seconds")
    assert rows[0] == rows[1]


def test_a_loss_that_is_not_finite_stops_the_run(config: TrainingConfig, tmp_path: Path) -> None:
    config = replace(config, learning_rate=1e30, warmup=0, save_every=1)
    with pytest.raises(TrainingDivergedError, match=r"the loss is (nan|inf) at step \d+ .*smaller"):
        train_system(config, tmp_path / "run", show_progress=False)
    state = torch.load(tmp_path / "run" / "progress.pt", weights_only=True)
    assert state["progress"]["step"] >= 1
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_a_run_killed_while_it_validates_does_that_again(
    config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(config, eval_splits=(f"{config.data[0]}:val",), eval_every=6, eval_limit=4)
    train_system(config, tmp_path / "whole", show_progress=False)

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("risbook.training.mask_objective.score_system", die)
        train_system(config, tmp_path / "killed", show_progress=False)
    train_system(config, tmp_path / "killed", resume=True, show_progress=False)
    rows = [read_log(tmp_path / name / "log.jsonl") for name in ("whole", "killed")]
    for row in rows[0] + rows[1]:
        row.pop("seconds", None)
    assert rows[0] == rows[1]
    assert sum(row["kind"] == "evaluation" for row in rows[1]) == 2


def test_ruined_weights_are_not_saved(config: TrainingConfig, tmp_path: Path) -> None:
    """The loss of the last step was finite, its update was not."""
    run = tmp_path / "run"

    def ruin(step: int, loss: float) -> None:
        for thing in gc.get_objects():
            if isinstance(thing, FirstModel):
                with torch.no_grad():
                    thing.decoder.mask_conv.bias.fill_(float("nan"))

    config = replace(config, steps=3, save_every=1, log_every=1)
    with pytest.raises(TrainingDivergedError):
        train_system(config, run, show_progress=False, on_step=ruin)
    state = torch.load(run / "progress.pt", weights_only=True)
    assert state["progress"]["step"] == 1
    assert not (run / "model.safetensors").exists()


@pytest.mark.parametrize("place", ["nowhere:val", "val", "SET:train2"])
def test_a_wrong_eval_split_is_found_before_the_first_step(
    config: TrainingConfig, tmp_path: Path, place: str
) -> None:
    place = place.replace("SET", config.data[0])
    with pytest.raises(RisbookError):
        train_system(replace(config, eval_splits=(place,)), tmp_path / "run", show_progress=False)
    assert not (tmp_path / "run").exists()


def test_two_runs_are_never_mixed(config: TrainingConfig, tmp_path: Path) -> None:
    with pytest.raises(RisbookError, match="no run to resume"):
        train_system(config, tmp_path / "run", resume=True, show_progress=False)
    train_system(replace(config, steps=2), tmp_path / "run", show_progress=False)
    with pytest.raises(RisbookError, match="already holds a run"):
        train_system(config, tmp_path / "run", show_progress=False)
    with pytest.raises(RisbookError, match="another steps, seed"):
        train_system(replace(config, seed=3), tmp_path / "run", resume=True, show_progress=False)


def test_a_run_that_never_began_leaves_its_folder_free(
    config: TrainingConfig, tmp_path: Path
) -> None:
    with pytest.raises(RisbookError, match="nowhere"):
        train_system(replace(config, data=("nowhere",)), tmp_path / "run", show_progress=False)
    train_system(replace(config, steps=1), tmp_path / "run", show_progress=False)
    assert (tmp_path / "run" / "config.json").is_file()


def test_a_broken_state_is_named(config: TrainingConfig, tmp_path: Path) -> None:
    train_system(replace(config, steps=3), tmp_path / "run", show_progress=False)
    (tmp_path / "run" / "progress.pt").write_bytes(b"broken")
    with pytest.raises(RisbookError, match=r"progress\.pt: the state of the run cannot be read"):
        train_system(replace(config, steps=3), tmp_path / "run", resume=True, show_progress=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"warmup": -1}, "warmup is -1"),
        ({"data": ()}, r"data is \(\); it must be a list of one or more texts"),
        ({"seed": -1}, "seed is -1"),
        ({"learning_rate": float("inf")}, "learning_rate is inf"),
    ],
)
def test_settings_that_make_no_sense(
    config: TrainingConfig, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(RisbookError, match=message):
        replace(config, **change)


def test_fp16_without_a_gpu_is_refused(config: TrainingConfig, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(RisbookError, match="fp16 needs a GPU"):
        train_system(replace(config, precision="fp16"), tmp_path / "run", show_progress=False)


@pytest.mark.slow
def test_two_processes_train_and_count_every_expression_once(
    config: TrainingConfig, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        PROGRAM + "from accelerate import PartialState\nassert PartialState().num_processes == 2\n"
    )
    place = f"{config.data[0]}:val"
    config = replace(config, steps=4, eval_splits=(place,), eval_every=4)
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    words += [str(script), json.dumps(to_values(config)), str(tmp_path / "two"), "new", "0"]
    on_cpu = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"}
    subprocess.run(words, check=True, env=on_cpu, timeout=300)
    train_system(config, tmp_path / "one", show_progress=False)
    first, second = (
        [r for r in read_log(tmp_path / name / "log.jsonl") if r["kind"] == "evaluation"]
        for name in ("one", "two")
    )
    assert first[0]["count"] == second[0]["count"] > 0
    # Each process normalises its half of a batch by itself, so the weights are near, not equal.
    a, b = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert a.keys() == b.keys()
    for name, value in a.items():
        if name.endswith("weight"):
            torch.testing.assert_close(b[name], value, atol=0.02, rtol=0.1)


@pytest.mark.slow
def test_the_loop_overfits_real_photographs(photographs: Path, tmp_path: Path) -> None:
    """From a REFER folder of real polygons to a score at the original resolution."""
    from risbook.data import ReferringDataset, open_data
    from risbook.evaluation import score_system

    folder = photographs / "mini_refcoco" / "refcoco"
    config = TrainingConfig(
        system="first-model",
        data=(str(folder),),
        splits=("testA", "testB"),
        overrides={"image_size": 192},
        steps=240,
        batch_size=14,
        learning_rate=2e-3,
        warmup=20,
        log_every=20,
        save_every=10_000,
    )
    system = train_system(config, tmp_path / "run", show_progress=False)
    data = open_data(folder)
    scores = score_system(system, ReferringDataset(data, split="testA"), show_progress=False)
    scores.merge(score_system(system, ReferringDataset(data, split="testB"), show_progress=False))
    summary = scores.summary()
    assert summary.count == 44
    assert summary.miou > 0.8


def test_a_stopped_run_leaves_the_layout_of_a_loaded_model(
    config: TrainingConfig, tmp_path: Path
) -> None:
    system = build_system(config.system, sentences=["the red ball"], overrides=config.overrides)

    def stop(step: int, loss: float) -> None:
        kernels = [value for value in system.parameters() if value.ndim == 4]
        assert not all(kernel.is_contiguous() for kernel in kernels)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_system(config, tmp_path, system=system, show_progress=False, on_step=stop)
    assert all(value.is_contiguous() for value in system.parameters())


def test_the_configuration_names_the_optimiser(tmp_path: Path, config: TrainingConfig) -> None:
    losses = {}
    for name, decay, norm in (("adam", 0.0, 0.0), ("adamw", 0.5, 0.0), ("sgd", 0.0, 1e-9)):
        chosen = replace(
            config, steps=2, log_every=1, optimizer=name, weight_decay=decay, max_grad_norm=norm
        )
        train_system(chosen, tmp_path / name, show_progress=False)
        rows = read_log(tmp_path / name / "log.jsonl")
        losses[name] = [row["loss"] for row in rows if row["kind"] == "step"]
    assert losses["adam"][0] == losses["adamw"][0] == losses["sgd"][0]
    assert len({values[1] for values in losses.values()}) == 3
    with pytest.raises(ArgumentError, match="weight_decay has no effect on an optimiser of your"):
        train_system(
            replace(config, weight_decay=0.1),
            tmp_path / "own",
            show_progress=False,
            optimizer=torch.optim.SGD,
        )


def test_an_optimiser_can_train_again(tmp_path: Path, config: TrainingConfig) -> None:
    def stop(step: int, loss: float) -> None:
        raise KeyboardInterrupt

    system = build_system("first-model", sentences=["left dog"], overrides=config.overrides)
    optimizer = torch.optim.SGD(system.parameters(), lr=0.1)
    options: dict[str, Any] = {"system": system, "optimizer": optimizer, "show_progress": False}
    chosen = replace(config, steps=4, warmup=0, log_every=1)
    train_system(chosen, tmp_path / "first", **options)
    with pytest.raises(KeyboardInterrupt):
        train_system(chosen, tmp_path / "stopped", on_step=stop, **options)
    assert optimizer.param_groups[0]["lr"] == 0.1
    train_system(chosen, tmp_path / "second", **options)
    first, second = (
        [row["lr"] for row in read_log(tmp_path / name / "log.jsonl")]
        for name in ("first", "second")
    )
    assert first[0] == 0.1 and first == second


def test_only_the_weights_of_the_optimiser_enter_the_clipped_norm(
    config: TrainingConfig, tmp_path: Path
) -> None:
    clipped = replace(config, steps=3, max_grad_norm=0.1)
    weights = []
    for freeze in (False, True):
        torch.manual_seed(0)
        system = build_system(config.system, sentences=["the red ball"], overrides=config.overrides)
        for name, weight in system.named_parameters():
            weight.requires_grad_(not freeze or name.startswith("decoder."))
        optimizer = torch.optim.SGD(system.decoder.parameters(), lr=0.1)
        folder = tmp_path / str(freeze)
        train_system(clipped, folder, system=system, show_progress=False, optimizer=optimizer)
        weights.append(system.decoder.mask_conv.weight.detach().clone())
    assert torch.allclose(weights[0], weights[1], atol=1e-6)
