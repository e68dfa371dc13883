"""Ctrl-C and SIGTERM: the step is finished, the state is saved, and the run goes on from there."""

import os
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from run_process import Start, read_until

from risbook.errors import StoppedError
from risbook.training import TrainingConfig, read_log, train_system
from risbook.training.stop_signals import StopSignals


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_saves_its_state_and_goes_on_bit_for_bit(
    config: TrainingConfig, tmp_path: Path, start: Start, signum: signal.Signals
) -> None:
    config = replace(config, save_every=1000)
    process = start(config, tmp_path / "stopped", hold=5)
    read_until(process, 5)
    process.send_signal(signum)
    _, stderr = process.communicate("\n")
    assert process.returncode == 128 + signum
    assert stderr.splitlines()[-1] == "stop: stopped at step 5; continue with resume=True"
    state = torch.load(tmp_path / "stopped" / "progress.pt", weights_only=True)
    assert state["progress"]["step"] == 5
    train_system(config, tmp_path / "stopped", resume=True, show_progress=False)
    train_system(config, tmp_path / "whole", show_progress=False)
    first, second = (
        (tmp_path / run / "model.safetensors").read_bytes() for run in ("whole", "stopped")
    )
    assert first == second
    logs = [read_log(tmp_path / run / "log.jsonl") for run in ("whole", "stopped")]
    assert [row["loss"] for row in logs[0]] == [row["loss"] for row in logs[1]]


def test_a_step_under_way_is_finished_first() -> None:
    finished = []
    with StopSignals() as signals, pytest.raises(StoppedError) as stop:
        with signals.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            finished.append(True)
        finished.append(False)
    assert finished == [True]
    assert stop.value.signum == signal.SIGTERM and stop.value.exit_code == 143


def test_between_two_steps_a_signal_stops_at_once() -> None:
    reached = []
    with StopSignals() as signals, pytest.raises(StoppedError):
        with signals.deferred():
            reached.append("step")
        signal.raise_signal(signal.SIGTERM)
        reached.append("evaluation")
    assert reached == ["step"]


def test_several_processes_only_record_a_signal() -> None:
    with StopSignals(raises=False) as signals:
        with signals.deferred():
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert signals.signum == signal.SIGTERM


def test_while_a_state_is_saved_a_signal_is_only_recorded() -> None:
    with StopSignals() as signals, pytest.raises(StoppedError):
        with signals.shielded():
            signal.raise_signal(signal.SIGTERM)
        assert signals.signum == signal.SIGTERM
        signal.raise_signal(signal.SIGTERM)
        pytest.fail("afterwards a signal stops the run again")


def test_a_second_interrupt_stops_at_once() -> None:
    reached = []
    with StopSignals() as signals, pytest.raises(KeyboardInterrupt) as stop:  # noqa: SIM117
        with signals.deferred():
            signal.raise_signal(signal.SIGINT)
            reached.append(1)
            signal.raise_signal(signal.SIGINT)
            reached.append(2)
    assert reached == [1] and not isinstance(stop.value, StoppedError)


def test_handlers_are_as_before_and_ignored_signals_stay_ignored() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        with StopSignals():
            assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
            assert signal.getsignal(signal.SIGINT) != interrupt
            signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGINT) == interrupt
    finally:
        signal.signal(signal.SIGTERM, before)


def test_outside_of_the_main_thread_a_run_goes_without(
    config: TrainingConfig, tmp_path: Path
) -> None:
    config = replace(config, steps=1)
    thread = threading.Thread(
        target=train_system, args=(config, tmp_path / "run"), kwargs={"show_progress": False}
    )
    thread.start()
    thread.join()
    assert (tmp_path / "run" / "config.json").is_file()
