"""Files of a run: damaged ones are told in one line, and a full disk loses nothing."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from risbook.errors import DataError, RisbookError
from risbook.training import TrainingConfig, read_log, train_system
from risbook.training.run_log import RunLog


@pytest.fixture(scope="session")
def finished_run(config: TrainingConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "finished"
    train_system(config, folder, show_progress=False)
    return folder


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of a finished run, to be damaged."""
    return shutil.copytree(finished_run, tmp_path / "run")


def resume(config: TrainingConfig, run: Path) -> str:
    """The one line that resuming ends with."""
    with pytest.raises(RisbookError) as error:
        train_system(config, run, resume=True, show_progress=False)
    line = str(error.value)
    assert "\n" not in line and line.startswith(str(run))
    return line


def damage(**entries: Any) -> Any:
    """Replace entries of a state; a dotted name reaches into an inner dict."""

    def change(state: dict[str, Any]) -> dict[str, Any]:
        for name, value in entries.items():
            outer, _, inner = name.partition("__")
            if inner:
                state[outer][inner] = value
            else:
                state[outer] = value
        return state

    return change


DAMAGES = {
    "no dict": lambda state: [1, 2],
    "nothing": lambda state: {},
    "no counters": damage(progress=None),
    "step is text": damage(progress__step="3"),
    "step is negative": damage(progress__step=-1),
    "step is beyond the end": damage(progress__step=10**9),
    "unknown counter": damage(progress__speed=1.0),
    "sums are text": damage(progress__loss_sums="a"),
    "a sum is not finite": damage(progress__loss_sums={"loss": float("nan")}),
    "model is a list": damage(model=[]),
    "model is empty": damage(model={}),
    "optimizer is None": damage(optimizer=None),
    "optimizer is empty": damage(optimizer={}),
    "generator is short": damage(
        generators=[{"cpu": torch.zeros(3, dtype=torch.uint8), "cuda": None}]
    ),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_state_is_told_in_one_line(config: TrainingConfig, run: Path, kind: str) -> None:
    path = run / "progress.pt"
    torch.save(DAMAGES[kind](torch.load(path, weights_only=True)), path)
    assert "progress.pt: " in resume(config, run)


@pytest.mark.parametrize("content", [b"", b"broken", b"PK\x03\x04", b"\x80\x02]q\x00."])
def test_a_state_that_is_none_is_told_without_bad_advice(
    config: TrainingConfig, run: Path, content: bytes
) -> None:
    (run / "progress.pt").write_bytes(content)
    line = resume(config, run)
    assert "progress.pt: the state of the run cannot be read; delete the file" in line
    assert "weights_only" not in line
    (run / "progress.pt").unlink()
    train_system(config, run, resume=True, show_progress=False)  # as the line says


def test_a_state_with_the_generator_of_one_process_is_resumed(
    config: TrainingConfig, run: Path, tmp_path: Path
) -> None:
    path, copy = run / "progress.pt", tmp_path / "copy"
    shutil.copytree(run, copy)
    state = torch.load(path, weights_only=True)
    state["cpu_generator"] = state.pop("generators")[0]["cpu"]
    torch.save(state, path)
    for folder in (run, copy):
        train_system(config, folder, resume=True, show_progress=False)
    weights = [(folder / "model.safetensors").read_bytes() for folder in (run, copy)]
    assert weights[0] == weights[1]


def test_moments_of_another_shape_are_noticed_before_the_first_step(
    config: TrainingConfig, run: Path
) -> None:
    path = run / "progress.pt"
    state = torch.load(path, weights_only=True)
    state["progress"]["step"] = 3
    state["optimizer"]["state"][0]["exp_avg"] = torch.zeros(7, 7)
    torch.save(state, path)
    assert "progress.pt: is the state of another system" in resume(config, run)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1]", "no JSON object"),
        ("{}", "'step' has to be a whole number"),
        ('{"step": "a", "loss": 1}', "'step' has to be"),
        ('{"kind": "step", "step": -1}', "'step' has to be"),
        ("no JSON", "not a row"),
        ("[" * 100_000, "not a row"),
    ],
)
def test_a_log_with_other_keys_is_told_by_line(
    config: TrainingConfig, run: Path, line: str, message: str
) -> None:
    path = run / "log.jsonl"
    rows = path.read_text().splitlines()
    path.write_text("\n".join([rows[0], line, *rows[1:]]) + "\n")
    with pytest.raises(DataError, match=r"log\.jsonl, line 2: not a row of a log") as error:
        read_log(path)
    assert message in str(error.value) and "\n" not in str(error.value)
    assert "log.jsonl, line 2" in resume(config, run)


def test_a_log_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(b'\xff\xfe{"step": 1}\n')
    with pytest.raises(DataError, match=r"log\.jsonl: not a log"):
        read_log(tmp_path / "log.jsonl")


def test_rows_of_unknown_kinds_survive_a_resumption(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    rows = [{"step": 1, "note": "a"}, {"kind": "other", "step": 2}, {"kind": "step", "step": 3}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    RunLog(path, resumed_at=2).close()
    assert read_log(path) == rows[:2]


@pytest.mark.parametrize("content", ["[]", "3", '{"system": []}', "{", "[" * 100_000, '{"a": 1}'])
def test_broken_settings_are_told_in_one_line(
    config: TrainingConfig, run: Path, content: str
) -> None:
    (run / "training.json").write_text(content)
    assert "training.json: " in resume(config, run)


#: trains, and from step 4 on lets no file grow beyond 20 kB, as a full disk would
FULL_DISK = """
import json, resource, sys
from pathlib import Path
from risbook.config import from_values
from risbook.errors import RisbookError
from risbook.training import TrainingConfig, train_system

def fill(step, loss):
    if step == 4:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

config = from_values(TrainingConfig, json.loads(sys.argv[1]))
try:
    train_system(config, Path(sys.argv[2]), show_progress=False, on_step=fill)
except RisbookError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of a file's size there")
@pytest.mark.parametrize("file", ["progress.pt", "log.jsonl", "model.safetensors"])
def test_a_full_disk_loses_nothing(config: TrainingConfig, tmp_path: Path, file: str) -> None:
    from risbook.config import to_values

    run = tmp_path / "run"
    program = FULL_DISK
    if file == "log.jsonl":
        program = FULL_DISK.replace("(20_000, 20_000)", "(300, 300)")
    if file == "model.safetensors":
        config = replace(config, save_every=4, steps=4)
    words = [sys.executable, "-c", program, json.dumps(to_values(config)), str(run)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"{run / file}: cannot be written (")
    assert not list(run.glob(".*.tmp")) and not (run / "model.safetensors").exists()
    saved = torch.load(run / "progress.pt", weights_only=True)["progress"]["step"]
    assert saved == (4 if file == "model.safetensors" else 3)
    train_system(config, run, resume=True, show_progress=False)
    train_system(config, tmp_path / "whole", show_progress=False)
    first, second = (
        (folder / "model.safetensors").read_bytes() for folder in (run, tmp_path / "whole")
    )
    assert first == second


def test_a_loss_that_blows_up_is_warned_of_once(config: TrainingConfig, tmp_path: Path) -> None:
    config = replace(config, learning_rate=1e4, warmup=0, steps=12)
    with pytest.warns(
        UserWarning, match=r"the loss is .* at step \d+, and was .*smaller"
    ) as record:
        train_system(config, tmp_path / "run", show_progress=False)
    assert sum("learning rate" in str(warning.message) for warning in record) == 1
