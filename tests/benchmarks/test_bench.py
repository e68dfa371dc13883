"""The benches of `risbook bench`: what they print, and that they measure what they say."""

import json
from typing import Any

import pytest
import torch
from torch import nn

from risbook.benchmarks import (
    evaluation_speed,
    measure_evaluation,
    measure_training,
    training_speed,
)
from risbook.benchmarks.bench_system import EXPLANATIONS, build_bench_system
from risbook.benchmarks.hashed_tokenizer import HashedTokenizer
from risbook.benchmarks.stopwatch import (
    Duration,
    measure_peak,
    peak_memory,
    synchronise,
    time_unit,
)
from risbook.benchmarks.training_speed import count_flops
from risbook.cli import main
from risbook.data import ReferringDataset, open_data
from risbook.errors import ArgumentError

CPU = torch.device("cpu")


def test_bench_evaluate_compares_the_protocols(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "evaluate", "first-model", "--limit", "3", "--device", "cpu"]) == 0
    text = capsys.readouterr().out
    assert "trained weights" in text and "3 expressions about 1 images" in text
    assert f"\ntime   {time_unit(CPU)}\n" in text
    for word in ("plain", "fast", "ratio", "mIoU"):
        assert f"\n{word} " in text


def test_bench_data_compares_the_originals_with_a_cache(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["bench", "data", "--limit", "4", "--size", "64", "--rounds", "2"]
    assert main([*words, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["samples"] == values["batch_size"] == 4
    assert len(values["cached"]) == len(values["original"]) == 2
    assert values["cached_median"] > 0 and values["cache_bytes"] > 500
    assert main(words) == 0
    assert "\nratio " in capsys.readouterr().out


def test_bench_evaluate_says_that_weights_are_random(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", "evaluate", "etris-mini-rn", "--limit", "3", "--json", "--device", "cpu"]
    assert main(words) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["weights"] == "towers"
    assert values["ratio"] == pytest.approx(values["fast"] / values["plain"])
    assert abs(values["miou_difference"]) < 0.5


def test_bench_train_prints_share_and_memory(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", "train", "detris-mini", "--steps", "1", "--json", "--device", "cpu"]
    assert main([*words, "--grad-checkpointing"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["precision"] == "no" and values["batch_size"] == 2
    assert values["time_unit"].startswith("processor seconds per thread, ")
    assert 0 < values["share_of_peak"] < 1
    assert values["flops"] > 1e9
    assert values["memory"] is None or values["memory"] > 1e8


def test_a_system_without_its_towers_has_random_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("risbook.benchmarks.bench_system.list_shipped", lambda: [])
    # the image tower is absent
    monkeypatch.setattr(
        "risbook.benchmarks.bench_system.is_on_machine", lambda tower: tower.endswith("text")
    )
    bench = build_bench_system("etris-mini")
    assert bench.weights == "random"
    size = bench.system.image_size
    logits = bench.system(torch.zeros(1, 3, size, size), ["the left dog"])
    assert logits.isfinite().all()


def test_a_system_without_towers_has_initial_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("risbook.benchmarks.bench_system.list_shipped", lambda: [])
    bench = build_bench_system("first-model")
    assert bench.weights == "initial" and "tower" not in EXPLANATIONS[bench.weights]


def test_processor_seconds_per_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    duration = Duration(wall=3.0, processor=4.0)
    assert duration.seconds(CPU) == 2.0 and duration.seconds(torch.device("cuda")) == 3.0
    assert time_unit(CPU) == "processor seconds per thread, 2 threads"
    assert time_unit(torch.device("cuda")) == "wall seconds"


def test_other_accelerators_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(torch.accelerator, "synchronize", lambda: calls.append("accelerator"))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: calls.append("cuda"))
    for kind in ("cpu", "mps", "cuda"):
        synchronise(torch.device(kind))
    assert calls == ["accelerator", "cuda"]


def test_memory_is_that_of_the_steps_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that of the matrices by which the peak is measured."""
    calls: list[str] = []

    def note(name: str, result: object) -> None:
        def call(*arguments: object, **options: object) -> object:
            calls.append(name)
            assert not torch.backends.cudnn.allow_tf32
            return result

        monkeypatch.setattr(training_speed, name, call)

    note("measure_peak", 1e12)
    note("reset_peak_memory", None)
    note("measure_duration", Duration(1.0, 1.0))
    note("peak_memory", 5)
    note("count_flops", 7)
    dataset = ReferringDataset(open_data("refscenes-sample"), split="train")[:2]
    assert torch.backends.cudnn.allow_tf32
    speed = measure_training("first-model", dataset, device=CPU, steps=2)
    steps = ["measure_duration"] * 2
    expected = ["count_flops", "measure_peak", "reset_peak_memory", *steps, "peak_memory"]
    assert calls == [*expected, "measure_peak"]
    assert torch.backends.cudnn.allow_tf32
    assert (speed.memory, speed.flops) == (5, 7)


@pytest.mark.parametrize("measure", [measure_evaluation, measure_training])
def test_an_arithmetic_that_the_device_lacks_is_told_first(
    measure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(name: str) -> None:
        raise AssertionError("the system is built first")

    for module in (evaluation_speed, training_speed):
        monkeypatch.setattr(module, "build_bench_system", build)
    dataset = ReferringDataset(open_data("refscenes-sample"), split="val")[:2]
    with pytest.raises(ArgumentError, match="precision fp16 needs a GPU"):
        measure("first-model", dataset, device=CPU, precision="fp16")


def test_hashed_ids_have_the_form_of_clip() -> None:
    tokenizer = HashedTokenizer(length=5, vocab_size=100)
    (row, long) = tokenizer(["Left dog", "a b c d e f"])
    assert row[0] == 98 and row[3] == 99 and row[4] == 0
    assert long[0] == 98 and long[4] == 99
    assert tokenizer(["left DOG"]).equal(row[None])


def test_attention_is_counted_on_a_cpu() -> None:
    query = torch.randn(2, 3, 50, 16, requires_grad=True)
    product = 2 * 2 * 3 * 50 * 50 * 16

    def attend() -> None:
        nn.functional.scaled_dot_product_attention(query, query, query).sum().backward()

    # two products forward; backward five, of which one computes the weights again
    assert count_flops(attend) == 7 * product


def test_operations_of_a_small_network_counted_by_hand() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Flatten(), nn.Linear(4 * 25, 6))
    images = torch.randn(2, 3, 5, 5)
    # two images; per weight of a layer and position a multiplication and an addition
    conv, linear = 2 * 2 * 25 * (4 * 3 * 9), 2 * 2 * (100 * 6)

    def step() -> None:
        network(images).sum().backward()

    with torch.no_grad():
        assert count_flops(lambda: network(images)) == conv + linear
    # backward the weights of both layers, and the input of the second
    assert count_flops(step) == 2 * conv + 3 * linear


def test_peak_and_memory_are_plausible() -> None:
    assert 1e9 < measure_peak(CPU, rounds=1) < 1e13
    memory = peak_memory(CPU)
    assert memory is None or 1e7 < memory < 1e12
