"""The recorded probes of chapter 5.2: which later words a trained Text Adapter names."""

import sys
from pathlib import Path

import pytest
import torch

from risbook.evaluation import read_result

sys.path.insert(0, str(Path(__file__).parents[1] / "book" / "_tools"))

import text_adapter_probes
from first_model_ablations import read_definitions


@pytest.fixture(scope="module")
def chapter():
    return read_definitions(text_adapter_probes.CHAPTER)


def test_the_control_has_five_convolutions_of_size_one(chapter):
    def convolutions(kernels):
        modules = chapter["build_dmoc"](kernels).modules()
        return [module for module in modules if isinstance(module, torch.nn.Conv1d)]

    released, control = convolutions("1 3 5"), convolutions("1 1 1")
    assert len(released) == len(control) == 5
    assert {conv.kernel_size for conv in control} == {(1,)}
    for ours, theirs in zip(control, released, strict=True):
        assert (ours.in_channels, ours.out_channels) == (theirs.in_channels, theirs.out_channels)


def test_only_words_are_targets(chapter):
    *tokens, later_words = chapter["load_sentences"]("val", 5)
    assert tokens[0].shape[:2] == later_words.shape[:2]
    assert not bool((later_words == chapter["TOKENIZER"].end_id).any())
    assert not bool(later_words[:, 0].any())  # the start token names nothing


def test_the_first_row_is_the_most_frequent_word(chapter):
    rows = text_adapter_probes.record(chapter, ["1 1 1"], [0], steps=1, count=70)
    assert [row["row"] for row in rows] == ["most frequent word", "1 1 1"]
    assert all(0 < rows[0][column] < 1 for column in ("1 later", "3 later", "5 later"))
    assert rows[0]["words"][0] > rows[0]["words"][2] > 0
    assert rows[1]["seed"] == 0 and rows[1]["weights"] > 0


def test_the_result_file_holds_every_row_and_seed():
    rows = read_result(text_adapter_probes.PATH)["rows"]
    keys = [(row["row"], row["seed"]) for row in rows[1:]]
    names = [kernels or "no adapter" for kernels in text_adapter_probes.KERNELS]
    assert keys == [(name, seed) for name in names for seed in text_adapter_probes.SEEDS]
