"""risbook.train, as a student types it."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import risbook
from risbook.errors import RisbookError
from risbook.training import TrainingConfig
from risbook.training.loop import build_accelerator
from risbook.training.named_sources import NamedSources
from risbook.training.run import resolve_config


@pytest.fixture
def fields(config: TrainingConfig) -> dict[str, Any]:
    """What makes a run short, beside the system and the data."""
    return {
        "overrides": config.overrides,
        "steps": 2,
        "batch_size": 4,
        "precision": "no",
        "show_progress": False,
    }


def test_a_run_without_a_folder_leaves_no_files(
    config: TrainingConfig, fields: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("work", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    model = risbook.train("first-model", data=config.data[0], **fields)
    assert model.name == "first-model" and not model.training
    assert list((tmp_path / "work").iterdir()) == []
    assert list((tmp_path / "temporary").glob("risbook*")) == []  # torch keeps a folder of its own


def test_a_run_with_a_folder_can_be_loaded(
    config: TrainingConfig, fields: dict[str, Any], tmp_path: Path
) -> None:
    out = str(tmp_path / "runs" / "x")
    model = risbook.train("first-model", data=[config.data[0]], out=out, **fields)
    loaded = risbook.load(out).state_dict()
    assert all(value.equal(loaded[name]) for name, value in model.state_dict().items())
    with pytest.raises(RisbookError, match="already holds a run"):
        risbook.train("first-model", data=config.data[0], out=out, **fields)
    risbook.train("first-model", data=Path(config.data[0]), out=out, resume=True, **fields)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": 3}, "step"),
        ({"steps": "3"}, "steps is '3'"),
        ({"data": None, "model": "etris-rn50"}, "data is missing: name what to train on"),
        ({"data": []}, "data"),
        ({"resume": True}, "name with out= the folder"),
        ({"model": "etris-maxi"}, "etris-maxi"),
        ({"lr": 1.0, "learning_rate": 2.0}, "lr is another name of learning_rate; give one"),
        ({"iterations": 3, "max_steps": 3}, "is another name of steps; give one"),
    ],
    ids=str,
)
def test_a_mistake_is_told_in_one_line(
    config: TrainingConfig, fields: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    given = {"model": "first-model", "data": config.data[0], **fields, **change}
    with pytest.raises(RisbookError) as error:
        risbook.train(**given)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_an_argument_under_two_names_is_refused(config: TrainingConfig) -> None:
    with pytest.raises(TypeError, match="dataset is another name of data; give one"):
        risbook.train("first-model", data=config.data[0], dataset=config.data[0])


def test_without_data_a_shipped_system_is_trained_as_its_checkpoint_was() -> None:
    from risbook.systems.checkpoints import SHIPPED_SYSTEMS

    recorded = TrainingConfig.load(SHIPPED_SYSTEMS / "first-model" / "training.json")
    assert resolve_config("first-model") == recorded
    assert resolve_config("first-model", seed=3).seed == 3


def test_a_run_learns_from_a_subset_of_the_images(
    config: TrainingConfig, fields: dict[str, Any], tmp_path: Path
) -> None:
    val = f"{config.data[0]}:val"
    train = {"model": "first-model", "data": config.data[0], "eval_data": val, **fields}
    train["batch_size"] = 999
    model = risbook.train(**train, out=tmp_path / "run", num_images=5)
    steps = [row for row in model.history if row["kind"] == "step"]
    assert steps[-1]["epoch"] == 2  # the objects of 5 images are one batch
    (row,) = [row for row in model.history if row["kind"] == "evaluation"]
    assert row["count"] == len(risbook.data.load(val))
    recorded = TrainingConfig.load(tmp_path / "run" / "training.json")
    assert (recorded.num_images, recorded.subset_seed) == (5, 0)
    with pytest.raises(RisbookError, match="that run had another num_images"):
        risbook.train(**train, out=tmp_path / "run", num_images=6, resume=True)
    with pytest.raises(RisbookError, match="num_images is 25, but there are 24 images"):
        risbook.train(**train, num_images=25)


@pytest.mark.parametrize(
    "text", ["validation_data", "val_dataset", "eval_dataset", "val_data", "eval_data"]
)
def test_a_dataset_is_evaluated_while_training(fields: dict[str, Any], text: str) -> None:
    data = risbook.data.load("refscenes-sample", split="val")
    assert len(data) == 30
    model = risbook.train("first-model", data[:20], **{text: data[20:]}, **fields)
    (row,) = [row for row in model.history if row["kind"] == "evaluation"]
    assert (row["step"], row["count"]) == (2, 10)
    assert (row["set"], row["split"]) == ("refscenes-sample[10 of 30]", "val")


def test_a_named_split_is_the_whole_split(fields: dict[str, Any], tmp_path: Path) -> None:
    """Also where the run trains on a part of it."""
    data = risbook.data.load("refscenes-sample", split="val")
    train = {"model": "first-model", "data": data[:20], "out": tmp_path / "run", **fields}
    model = risbook.train(**train, eval_splits=["refscenes-sample:val"])
    (row,) = [row for row in model.history if row["kind"] == "evaluation"]
    assert (row["set"], row["count"]) == ("refscenes-sample", 30)
    config = TrainingConfig.load(tmp_path / "run" / "training.json")
    assert config.data == ("refscenes-sample[20 of 30]",) and config.splits == ("val",)
    risbook.train(**train, eval_splits=["refscenes-sample:val"], resume=True)
    train["data"] = data[:10]
    with pytest.raises(RisbookError, match="that run had another data"):
        risbook.train(**train, eval_splits=["refscenes-sample:val"], resume=True)


def test_several_things_are_evaluated(config: TrainingConfig, fields: dict[str, Any]) -> None:
    val = risbook.data.load("refscenes-sample", split="val")
    samples = [{"image": val.image(0), "text": "left dog", "mask": val.mask(0)}]
    model = risbook.train(
        "first-model",
        [config.data[0]],
        eval_data=[val, val[:4], val[4:8], "refscenes+-sample:val"],
        eval_splits="refscenes-sample:val",
        eval_limit=5,
        **fields,
    )
    counts = {row["set"]: row["count"] for row in model.history if row["kind"] == "evaluation"}
    assert counts == {
        "refscenes-sample": 5,
        "refscenes-sample[4 of 30]": 4,
        "refscenes-sample[4 of 30]-2": 4,
        "refscenes+-sample": 5,
    }
    model = risbook.train("first-model", samples, eval_data=samples, **fields)
    assert [row["count"] for row in model.history if row["kind"] == "evaluation"] == [1]
    with pytest.raises(RisbookError, match="write it as SET:SPLIT"):
        risbook.train("first-model", val, eval_data="refscenes-sample", **fields)


def test_sets_in_different_splits_are_trained_on_in_these_only(fields: dict[str, Any]) -> None:
    sources = NamedSources()
    first, second = (
        risbook.data.load(name, split=split)
        for name, split in (("refscenes-sample", "val"), ("refscenes+-sample", "train"))
    )
    values = sources.add_training_data([first, second])
    assert values == {
        "data": ["refscenes-sample[val]", "refscenes+-sample[train]"],
        "splits": ["train", "val"],
        "text_kind": "sent",
    }
    assert sources.by_name["refscenes-sample[val]"].splits == ("val",)
    assert sources.by_name["refscenes-sample"].splits == first.splits


def test_a_set_that_is_opened_twice_has_one_name() -> None:
    sources = NamedSources()
    train = risbook.data.load("refscenes-sample", split="train")
    val = risbook.data.load("refscenes-sample", split="val")
    assert sources.add_training_data(train)["data"] == ["refscenes-sample"]
    assert sources.add_eval_data(val) == ["refscenes-sample:val"]
    assert sources.by_name.keys() == {"refscenes-sample"}
    black = [{"image": np.zeros((4, 4, 3), np.uint8), "text": "dog", "mask": np.ones((4, 4))}]
    white = [{**black[0], "image": np.full((4, 4, 3), 255, np.uint8)}]
    assert sources.add_training_data(black)["data"] == ["samples"]
    assert sources.add_eval_data(white) == ["samples-2:all"]


@pytest.mark.parametrize(("steps", "log_every"), [(2, 1), (40, 2), (399, 19), (7000, 20)])
def test_a_short_run_has_a_log_of_twenty_rows(steps: int, log_every: int) -> None:
    config = resolve_config("first-model", data=["refscenes-sample"], steps=steps)
    assert config.log_every == log_every
    given = resolve_config("first-model", data=["refscenes-sample"], steps=steps, log_every=7)
    assert given.log_every == 7


def test_the_kind_of_text_has_its_old_name_too(fields: dict[str, Any], tmp_path: Path) -> None:
    risbook.train("first-model", "refscenes-sample", text="raw", out=tmp_path / "run", **fields)
    assert TrainingConfig.load(tmp_path / "run" / "training.json").text_kind == "raw"


def test_a_run_prints_its_scores_and_its_end(
    config: TrainingConfig, fields: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    options = {**fields, "eval_data": "refscenes-sample:val", "show_progress": True}
    options |= {"eval_limit": 2, "log_every": 1}
    risbook.train("first-model", config.data[0], **options)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == "" and len([line for line in lines if ", loss" in line]) == 3
    assert any(line.startswith("step 2: refscenes-sample:val, mIoU ") for line in lines)
    assert lines[-1].startswith("trained 2 steps in ")
    risbook.train("first-model", config.data[0], **{**options, "show_progress": False})
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("own", "lr", "message"),
    [
        (False, {}, "the optimiser holds no parameter that this model tunes"),
        (True, {"lr": 0.1}, "lr has no effect on an optimiser of your own"),
    ],
)
def test_an_optimizer_that_cannot_train_the_model_is_refused(
    config: TrainingConfig, fields: dict[str, Any], own: bool, lr: dict[str, float], message: str
) -> None:
    model = risbook.load("first-model")
    other = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam((model if own else other).parameters())
    del fields["overrides"]
    with pytest.raises(RisbookError, match=message):
        risbook.train(model, data=config.data[0], optimizer=optimizer, **fields, **lr)


def test_a_run_computes_on_the_gpu_that_is_named() -> None:
    assert build_accelerator("no", torch.device("cuda:1")).device == torch.device("cuda:1")
    assert build_accelerator("no", torch.device("cpu")).device == torch.device("cpu")
