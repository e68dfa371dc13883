"""The folder of a run: one process at a time, and nothing of anybody else's is lost."""

import errno
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from run_process import Start, read_until

from risbook.errors import RisbookError
from risbook.training import TrainingConfig, train_system
from risbook.training.run_folder import RunFolder


def test_a_folder_in_which_a_run_lives_is_refused(
    config: TrainingConfig, tmp_path: Path, start: Start
) -> None:
    run = tmp_path / "run"
    first = start(config, run, hold=5)
    read_until(first, 5)
    message = r"run: another process is training here; [^\n]*$"
    with pytest.raises(RisbookError, match=message):
        train_system(config, run, resume=True, show_progress=False)
    with pytest.raises(RisbookError, match="already holds a run"):
        train_system(config, run, show_progress=False)
    # A process of its own, too: a lock inside of one process would not show this.
    second = start(config, run, resume=True)
    _, stderr = second.communicate()
    assert second.returncode == 1 and "another process is training here" in stderr
    assert len(stderr.splitlines()) == 1

    first.send_signal(signal.SIGKILL)
    first.wait()
    train_system(config, run, resume=True, show_progress=False)
    assert (run / "config.json").is_file()


def test_a_file_system_without_locks_gives_a_warning(
    config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(lock: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("risbook.training.run_folder.FileLock.acquire", refuse)
    config = replace(config, steps=1)
    with pytest.warns(UserWarning, match=r"run: this file system has no locks \(.*No locks avail"):
        train_system(config, tmp_path / "run", show_progress=False)
    assert (tmp_path / "run" / "config.json").is_file()


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "log.jsonl", "progress.pt"])
def test_a_checkpoint_is_never_overwritten(
    config: TrainingConfig, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(RisbookError, match=rf"{name} is there already, .*name another folder"):
        train_system(config, tmp_path, show_progress=False)
    with pytest.raises(RisbookError, match="no run to resume here"):
        train_system(config, tmp_path, resume=True, show_progress=False)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_only_own_leftovers_are_deleted(config: TrainingConfig, tmp_path: Path) -> None:
    mine = {".notes.tmp", ".draft.12.tmp", ".progress.pt.tmp", "progress.pt.12.tmp"}
    leftovers = {".progress.pt.12.tmp", ".log.jsonl.3.tmp", ".training.json.99.tmp"}
    for name in mine | leftovers:
        (tmp_path / name).write_text("")
    train_system(replace(config, steps=1), tmp_path, show_progress=False)
    assert {path.name for path in tmp_path.glob("*.tmp")} == mine


def test_a_lock_is_released_at_the_end_and_after_an_error(
    config: TrainingConfig, tmp_path: Path
) -> None:
    def fail(step: int, loss: float) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train_system(config, tmp_path, show_progress=False, on_step=fail)
    other = RunFolder(tmp_path)
    other.lock()
    other.unlock()
    train_system(config, tmp_path, resume=True, show_progress=False)
    other.lock()
    other.unlock()
