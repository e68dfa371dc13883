"""risbook.train, as a student types it."""

import tempfile
from pathlib import Path
from typing import Any

import pytest

import risbook
from risbook.errors import RisbookError
from risbook.training import TrainingConfig


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
        ({"data": None, "model": "etris-rn50"}, "say what to train on, for instance data='refsc"),
        ({"data": []}, "data"),
        ({"resume": True}, "name with out= the folder"),
        ({"model": "etris-maxi"}, "etris-maxi"),
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


def test_without_data_a_shipped_system_is_trained_as_its_checkpoint_was() -> None:
    from risbook.systems.checkpoints import SHIPPED_SYSTEMS
    from risbook.training.train_by_name import resolve_config

    recorded = TrainingConfig.load(SHIPPED_SYSTEMS / "first-model" / "training.json")
    assert resolve_config("first-model") == recorded
    assert resolve_config("first-model", seed=3).seed == 3
