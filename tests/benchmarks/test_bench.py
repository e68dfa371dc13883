"""The benches of `risbook bench`: what they print, and that they measure what they say."""

import json

import pytest
import torch
from torch import nn

from risbook.benchmarks.bench_system import build_bench_system
from risbook.benchmarks.hashed_tokenizer import HashedTokenizer
from risbook.benchmarks.stopwatch import measure_peak, peak_memory
from risbook.benchmarks.training_speed import count_flops
from risbook.cli import main

CPU = torch.device("cpu")


def test_bench_evaluate_compares_the_protocols(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "evaluate", "first-model", "--limit", "3", "--device", "cpu"]) == 0
    text = capsys.readouterr().out
    assert "trained weights" in text and "3 expressions about 1 images" in text
    for word in ("plain", "fast", "ratio", "mIoU"):
        assert f"\n{word} " in text


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


def test_peak_and_memory_are_plausible() -> None:
    assert 1e9 < measure_peak(CPU, rounds=1) < 1e13
    memory = peak_memory(CPU)
    assert memory is None or 1e7 < memory < 1e12
