"""`risbook convert`: from a released file to a checkpoint that the other commands read."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from released_files import official_state, write_released

from risbook.cli import main
from risbook.systems import build_system
from risbook.systems.etris import ETRIS


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    system = build_system("etris-mini", sentences=[], overrides={"weights": "random"})
    assert isinstance(system, ETRIS)
    return write_released(official_state(system), tmp_path_factory.mktemp("file") / "refcoco.pth")


@pytest.mark.filterwarnings("ignore::risbook.tokenizers.word_tokenizer.UnknownWordWarning")
def test_convert_evaluate_predict(
    released: Path, tiny_world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "deep" / "run"
    assert main(["convert", str(released), str(run), "--whole"]) == 0
    digest = hashlib.sha256(released.read_bytes()).hexdigest()
    assert capsys.readouterr().out.splitlines() == [
        f"{released}: etris-mini, trained on refcoco, 17 tokens per sentence",
        f"wrote {run}: all weights (published weights: refcoco.pth (sha256 {digest[:8]}))",
    ]
    assert digest in (run / "config.json").read_text()

    words = ["evaluate", str(run), "--data", str(tiny_world / "refscenes"), "--split", "val"]
    assert main([*words, "--limit", "3", "--json"]) == 0
    assert [row["count"] for row in json.loads(capsys.readouterr().out)] == [3]
    picture = next((tiny_world / "images").rglob("*.jpg"))
    words = ["predict", "--image", str(picture), "--text", "left dog", "--checkpoint", str(run)]
    assert main([*words, "--out", str(tmp_path / "mask.png")]) == 0
    assert (tmp_path / "mask.png").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["FILE", "--system", "etris-rn50"], "is a checkpoint of etris-mini, not of etris-rn50;"),
        (["no.pth"], "no.pth: there is no such file"),
        (["FILE", "--system", "etris"], "no system is called 'etris'"),
        (
            ["FILE", "--data", "coco"],
            "no data set of kkakkkka/ETRIS is called 'coco'; there are: re",
        ),
        (["FILE", "--system", "etris-mini", "--set", "word_length"], "NAME=VALUE"),
        (["FILE", "--system", "etris-mini", "--set", "words=22"], "no 'words'"),
        (
            ["FILE", "--system", "etris-mini", "--set", "bridger.dim=8"],
            "does not fit etris-mini: bridger.",
        ),
    ],
)
def test_a_mistake_is_one_clear_line(
    released: Path,
    words: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [str(released) if word == "FILE" else word for word in words]
    assert main(["convert", words[0], str(tmp_path / "run"), *words[1:]]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert captured.err.startswith("risbook convert: ") and message in captured.err
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_is_not_written_over(
    released: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["convert", str(released), str(tmp_path / "run"), "--system", "etris-mini"]
    assert main(words) == 0
    assert main(words) == 2
    assert "already holds a checkpoint or a run" in capsys.readouterr().err
