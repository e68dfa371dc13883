"""The command line, as a stranger meets it."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from risbook.cli import SUMMARIES, main, read_arguments
from risbook.cli.evaluate_command import training_data
from risbook.data.catalog import list_datasets
from risbook.evaluation import read_counts, read_result
from risbook.systems.checkpoints import SHIPPED_SYSTEMS
from risbook.training import TrainingConfig
from risbook.training.run import resolve_config

# Eight channels at least: with fewer input channels, the gradient of a 1x1 convolution of stride 2
# writes past its buffer on AVX2 with one thread (torch 2.11 to 2.14, oneDNN).
SMALL = ["widths=[8,8,8,16]", "blocks=1", "decoder_width=16", "text_width=16", "image_size=32"]


def train_words(data: Path, out: Path, *more: str) -> list[str]:
    words = ["train", "first-model", "--data", str(data), "--out", str(out), "--steps", "3"]
    return [*words, "--batch-size", "4", "--precision", "no", "--set", *SMALL, *more]


def config_of(*words: str) -> TrainingConfig:
    """The run that a command line describes."""
    command, namespace = read_arguments(["train", *words])
    values = command.values(namespace)
    return resolve_config(**{k: v for k, v in values.items() if k not in ("out", "resume")})


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for word in ("data", "train", "convert", "evaluate", "predict", "for example"):
        assert word in text


@pytest.mark.parametrize("command", ["data", "train", "convert", "evaluate", "predict"])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert f"usage: risbook {command}" in capsys.readouterr().out


def test_train_evaluate_predict_on_the_drawn_world(
    tiny_world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run = tiny_world / "refscenes", tmp_path / "run"
    assert main(train_words(data, run)) == 0
    capsys.readouterr()

    result = tmp_path / "scores.json"
    words = ["evaluate", str(run), "--data", str(data), "--json", "--out", str(result)]
    assert main([*words, "--per-expression"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["split"] for row in rows] == ["val", "testA", "testB"]
    assert all(0 <= row["mIoU"] <= 1 and row["count"] > 0 for row in rows)
    about = read_result(result)
    assert about["rows"] == rows
    assert about["system"] == "first-model"
    assert len(about["weights_sha256"]) == 16
    assert len(read_counts(result, dataset="refscenes", split="val")) == rows[0]["count"]
    assert main(["evaluate", str(run), "--per-expression"]) == 2
    assert "--out" in capsys.readouterr().err

    assert main(["evaluate", str(run), "--data", str(data), "--split", "val", "--limit", "3"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].split()[:4] == ["set", "split", "expressions", "mIoU"]
    assert table[1].split()[1:3] == ["val", "3"]

    picture = next((tiny_world / "images").rglob("*.jpg"))
    mask, overlay = tmp_path / "mask.png", tmp_path / "overlay.png"
    words = ["predict", "--image", str(picture), "--text", "left zebra", "--out", str(mask)]
    words += ["--overlay", str(overlay), "--checkpoint", str(run), "--json"]
    assert main(words) == 0
    captured = capsys.readouterr()
    about = json.loads(captured.out)
    assert about["unknown_words"] == ["zebra"]
    assert "never seen: zebra" in captured.err
    with Image.open(picture) as image, Image.open(mask) as written, Image.open(overlay) as shown:
        assert written.size == shown.size == image.size
        values = np.asarray(written)
    assert set(np.unique(values)) <= {0, 255}
    assert (values == 255).sum() == about["pixels"]


def test_train_evaluate_predict_on_real_photographs(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real = photographs / "mini_refcoco"
    data, run = real / "refcoco", tmp_path / "run"
    assert main(train_words(data, run, "--splits", "testA", "testB")) == 0
    capsys.readouterr()
    assert main(["evaluate", str(run), "--data", str(data), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert sum(row["count"] for row in rows) == 44
    picture = next((real / "images").rglob("*.jpg"))
    words = ["predict", "--image", str(picture), "--text", "man", "--out", str(tmp_path / "m.png")]
    assert main([*words, "--checkpoint", str(run)]) == 0
    with Image.open(picture) as image, Image.open(tmp_path / "m.png") as mask:
        assert mask.size == image.size


def test_counts_as_json(tiny_world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "counts", str(tiny_world / "refscenes"), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["split"] for row in rows] == ["train", "val", "testA", "testB"]
    assert all(row["sentences"] >= row["objects"] >= row["images"] > 0 for row in rows)


def test_seen_and_unseen_kinds_are_scored_as_any_split(
    unseen_world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run, result = unseen_world / "refscenes-unseen", tmp_path / "run", tmp_path / "x.json"
    assert main(train_words(data, run)) == 0
    capsys.readouterr()
    assert main(["evaluate", str(run), "--json", "--out", str(result)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["split"] for row in rows] == ["val", "test_seen", "test_unseen"]
    assert all(row["set"] == "refscenes-unseen" and row["count"] > 5 for row in rows)
    assert read_result(result)["rows"] == rows


def test_data_lists_every_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(list_datasets())
    assert max(map(len, lines)) <= 100
    assert main(["data", "--json"]) == 0
    names = [row["set"] for row in json.loads(capsys.readouterr().out)]
    assert {"refscenes+", "refscenes-unseen", "refscenes-unseen-sample"} <= set(names)


def test_make_draws_either_world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for size, name in (("tiny", "refscenesg"), ("unseen-tiny", "refscenes-unseen")):
        out = tmp_path / size
        assert main(["data", "make", "--size", size, "--out", str(out)]) == 0
        assert capsys.readouterr().out == f"{out}\n"
        assert (out / name / "scenes.json").is_file()


def test_show_draws_a_picture(
    tiny_world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "example.png"
    assert main(["data", "show", str(tiny_world / "refscenes"), "--out", str(out)]) == 0
    assert "refscenes" in capsys.readouterr().out
    with Image.open(out) as image:
        assert min(image.size) > 100


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "nowhere", "--data", "refscenes-sample"], "no checkpoint here"),
        (["train", "second-model", "--data", "refscenes-sample", "--out", "OUT"], "second-model"),
        (["train", "first-model", "--data", "nowhere", "--out", "OUT"], "nowhere"),
        (
            ["train", "first-model", "--data", "refscenes-sample", "--out", "OUT", "--steps", "0"],
            "steps is 0",
        ),
        (
            ["train", "first-model", "--data", "refscenes-sample", "--out", "OUT", "--set", "x"],
            "NAME=VALUE",
        ),
        (["data", "counts", "nowhere"], "nowhere"),
        (["data", "show", "refscenes-sample", "--split", "x", "--out", "OUT.png"], "val"),
        (["data", "show", "refscenes-sample", "--index", "-1", "--out", "OUT.png"], "--index"),
        (["predict", "--image", "none.jpg", "--text", "a", "--out", "OUT.png"], "none.jpg"),
        (["predict", "--image", "none.jpg", "--text", "a", "--out", "OUT.jpg"], ".png"),
        (["predict", "--image", "none.jpg", "--text", "a", "--out", "no/such/OUT.png"], "folder"),
        (["predict", "--image", "OUT.png", "--text", "a", "--out", "OUT.png"], "different files"),
        (["predict", "--image", "none.jpg", "--text", "a", "--out", "."], "is a folder"),
        (["predict", "--image", "none.jpg"], "required: --text, --out"),
        (["train", "first-model", "--stpes", "3"], "no option --stpes, did you mean --steps?"),
        (["train", "first-model", "extra"], "nothing is expected where 'extra' stands"),
        (["train", "first-model", "--steps"], "--steps: expected one argument"),
        (
            ["train", "first-model", "--data", "x", "--steps", "abc"],
            "--steps is 'abc'; it must be a whole number from 1 to",
        ),
        (
            ["train", "first-model", "--batch-size", "9" * 5000],
            "--batch-size is '999",
        ),
        (["train", "first-model", "--learning-rate", "nan"], "--learning-rate is nan; it must be"),
        (["train", "first-model", "--seed", "4294967296"], "--seed is 4294967296; it must be"),
        (
            ["evaluate", "first-model", "--threshold", "1"],
            "--threshold is 1.0; it must be a number from 0 to below 1",
        ),
        (["evaluate", "first-model", "--text", "both"], "--text is 'both'; it must be 'sent' or"),
        (["evaluate", "no/such\n\x1b[31mname"], "no/such [31mname: no checkpoint here"),
        (["data", "cuonts"], "'cuonts'"),
        (
            ["train", "etris-mini", "--out", "OUT", "--set", "bridger.dim=1000000000"],
            "bridger.dim is 1000000000; it must be a whole number from 1 to 65536",
        ),
        (
            ["train", "first-model", "--data", "refscenes-sample", "--set", "blocks=99999999999"],
            "blocks is 99999999999; it must be a whole number from 1 to 1024",
        ),
        (["data", "show", "refscenes-sample", "--out", "no/such/x.png"], "no such folder"),
        (["data", "show", "refscenes-sample", "--out", "OUT.jpg"], ".png"),
        (
            ["evaluate", "first-model", "--data", "refscenes-sample", "--out", "no/such/x.json"],
            "no such folder",
        ),
        (
            ["train", "first-model", "--data", "refscenes-sample", "--out", "OUT", "--seed", "-1"],
            "seed is -1",
        ),
        (
            ["evaluate", "first-model", "--data", "refscenes-sample", "--device", "toaster"],
            "--device toaster",
        ),
    ],
)
def test_a_mistake_is_one_clear_line(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(tmp_path / word) if word.startswith("OUT") else word for word in words]
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith(f"risbook {words[0]}: ")
    assert message in captured.err


def test_verbose_shows_where_it_came_from() -> None:
    words = [sys.executable, "-m", "risbook", "-v", "data", "counts", "nowhere"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    words = [*(word for word in words if word != "-v"), "-v"]
    behind = subprocess.run(words, capture_output=True, text=True, check=False)
    assert behind.returncode == 2
    assert "Traceback" in behind.stderr
    done = subprocess.run(
        [word for word in words if word != "-v"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_without_data_a_shipped_system_is_trained_as_its_checkpoint_was() -> None:
    config = config_of("first-model", "--steps", "7", "--set", "blocks=1")
    recorded = TrainingConfig.load(SHIPPED_SYSTEMS / "first-model" / "training.json")
    assert recorded.difference(config) == ["overrides", "steps", "warmup", "log_every"]
    assert (config.steps, config.overrides) == (7, {"blocks": 1})


def test_with_data_the_defaults_are_those_of_the_configuration() -> None:
    config = config_of("first-model", "--data", "refscenes")
    assert config == TrainingConfig(system="first-model", data=("refscenes",))
    config = config_of("first-model", "--data", "a", "b", "--no-cache-images", "--split", "val")
    assert (config.data, config.splits, config.cache_images) == (("a", "b"), ("val",), False)
    assert config_of("first-model", "--data", "a", "--text", "raw").text_kind == "raw"
    config = config_of("first-model", "--data", "a", "--num-images", "125", "--subset-seed", "3")
    assert (config.num_images, config.subset_seed, config.seed) == (125, 3, 0)


def test_the_released_schedule_is_asked_for_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["first-model", "--data", "refscenes", "--schedule"]
    assert config_of(*words, "milestones").schedule == "milestones"
    assert main(["train", *words, "linear"]) == 2
    message = "risbook train: --schedule is 'linear'; it must be 'cosine' or 'milestones'\n"
    assert capsys.readouterr().err == message


def test_the_bridgers_rate_is_a_multiple(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["etris-vitb16", "--data", "refscenes-sample"]
    assert config_of(*words).lr_multipliers == {}
    words += ["--lr-multipliers"]
    assert config_of(*words, "bridgers=10").lr_multipliers == {"bridgers": 10}
    assert main(["train", *words, "bridgers=0"]) == 2
    message = "lr_multipliers.bridgers is 0; it must be a number above 0"
    assert message in capsys.readouterr().err
    words = ["train", "first-model", *words[1:], "bridgers=10", "--out", str(tmp_path / "run")]
    assert main(words) == 2
    assert "this first-model has no bridgers" in capsys.readouterr().err


def test_without_data_nothing_else_is_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "second-model"]) == 2
    assert "no system is called 'second-model'" in capsys.readouterr().err
    assert main(["train", "etris-rn50"]) == 2
    assert "--data" in capsys.readouterr().err


def test_a_checkpoint_is_scored_on_what_it_was_trained_on(
    tiny_world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main(train_words(tiny_world / "refscenes", run)) == 0
    capsys.readouterr()
    assert main(["evaluate", str(run), "--split", "val", "--limit", "3", "--json"]) == 0
    assert [row["set"] for row in json.loads(capsys.readouterr().out)] == ["refscenes"]
    recorded = TrainingConfig.load(run / "training.json")
    replace(recorded, partition="google", image_folder="here").save(run / "training.json")
    data = (str(tiny_world / "refscenes"),)
    assert training_data(str(run), "", "elsewhere") == (data, "google", "elsewhere")
    (run / "training.json").unlink()
    assert main(["evaluate", str(run)]) == 2
    assert "--data" in capsys.readouterr().err


def test_sigterm_ends_a_command_with_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(
        "risbook.towers.info.tower_info", lambda name: signal.raise_signal(signal.SIGTERM)
    )
    assert main(["towers"]) == 143
    assert capsys.readouterr().err.splitlines() == ["", "risbook towers: stopped"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_misspelt_command_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trian", "first-model"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("risbook: there is no command 'trian', did you mean train? there are:")
    assert error.count("\n") == 1


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 0
    assert "for example" in capsys.readouterr().out


def test_only_the_command_that_is_typed_is_imported() -> None:
    code = (
        "import sys; from risbook.cli import read_arguments; read_arguments(['towers']); "
        "print(*[name for name in sys.modules if name.endswith('_command') or name == 'torch'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["risbook.cli.towers_command"]


def test_the_options_of_a_training_are_shown_without_torch() -> None:
    code = (
        "import sys; from risbook.cli import read_arguments\n"
        "try: read_arguments(['train', '--help'])\n"
        "finally: print('torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--learning-rate" in done.stdout
    assert done.stderr.strip() == "False"


def test_an_ascii_terminal_gets_escapes(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "risbook", "data", "counts", "왼쪽 개"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "1"}
    done = subprocess.run(words, capture_output=True, env=environment, check=False)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1 and b"\\uc67c\\ucabd" in done.stderr


def test_an_error_of_the_system_names_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "a\nb"))

    monkeypatch.setattr("risbook.towers.info.tower_info", refuse)
    assert main(["towers"]) == 2
    assert capsys.readouterr().err == f"risbook towers: {tmp_path}/a b: Permission denied\n"


def predict_words(world: Path, out: Path, text: str, *more: str) -> list[str]:
    image = next((world / "images").rglob("*.jpg"))
    return ["predict", "--image", str(image), "--text", text, "--out", str(out), *more]


def test_nothing_is_replaced_unasked(
    tiny_world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask, overlay = tmp_path / "mask.png", tmp_path / "overlay.png"
    for existing in (mask, overlay):
        existing.write_bytes(b"mine")
        words = predict_words(tiny_world, mask, "left dog", "--overlay", str(overlay))
        assert main(words) == 2
        assert f"{existing}: is already there" in capsys.readouterr().err
        assert existing.read_bytes() == b"mine"
        if existing is mask:
            mask.unlink()
    assert main([*words, "--overwrite"]) == 0
    with Image.open(overlay) as image:
        assert image.format == "PNG"


@pytest.mark.parametrize(
    ("text", "notices"),
    [
        ("left dog", []),
        ("left zebra", ["first-model has never seen: zebra"]),
        (
            "왼쪽 얼룩말",
            ["first-model knows no word of the sentence; the mask does not follow it"],
        ),
        (
            "left " * 21 + "dog",
            ["the sentence has 22 tokens, of which first-model reads 20; its end is cut"],
        ),
    ],
)
def test_what_does_not_reach_the_system_is_told(
    text: str,
    notices: list[str],
    tiny_world: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = predict_words(tiny_world, tmp_path / "mask.png", text, "--checkpoint", "first-model/")
    assert main(words) == 0
    errors = capsys.readouterr().err.splitlines()
    assert errors == [f"risbook predict: {notice}" for notice in notices]


def test_a_sentence_that_is_no_text_is_one_line(
    tiny_world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(predict_words(tiny_world, tmp_path / "mask.png", "left \udcff")) == 2
    assert capsys.readouterr().err.count("\n") == 1


ROOT = Path(__file__).resolve().parents[2]
SHOWN = [
    *(ROOT / "book").rglob("*.md"),
    *(ROOT / "risbook" / "checkpoints").rglob("README.md"),
    ROOT / "README.md",
]


def test_every_command_that_is_shown_can_be_typed() -> None:
    lines = {
        line.strip("`")
        for path in SHOWN
        for line in re.findall(r"^risbook [^\n<]+|`risbook [^`<]+`", path.read_text("utf-8"), re.M)
        if line.split()[1] in SUMMARIES and len(line.split()) > 2 and "--help" not in line
    }
    commands = {shlex.split(line, comments=True)[1] for line in lines}
    assert {"data", "train", "evaluate", "predict", "study", "pretrain"} <= commands
    for line in lines:
        command, namespace = read_arguments(shlex.split(line, comments=True)[1:])
        for word in re.findall(r" (--[\w-]+)", line.partition("#")[0]):
            # in full: a beginning that is unique today may not be so tomorrow
            assert word in [command.flag(name) for name in command.options], line
        assert command.values(namespace) is not None
