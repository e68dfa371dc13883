"""The record of a training run: what it refuses, and files of the first edition."""

import json
from pathlib import Path
from typing import Any

import pytest

from risbook.config import from_values, to_values
from risbook.errors import RisbookError
from risbook.ledger.measured import results_folder
from risbook.systems.checkpoints import SHIPPED_SYSTEMS
from risbook.training import TrainingConfig
from risbook.training.old_runs import OLD_NAMES

PLAIN = TrainingConfig(system="first-model", data=("refscenes",))


#: the shipped runs as the first edition wrote them
OLD_RUN = {
    "data": ["refscenes", "refscenes+", "refscenesg"],
    "splits": ["train"],
    "partition": "",
    "images": "",
    "changes": {},
    "steps": 7000,
    "batch": 32,
    "learning_rate": 0.001,
    "warmup": 100,
    "seed": 0,
    "precision": "auto",
    "text": "sent",
    "validate_on": ["refscenes:val", "refscenes+:val", "refscenesg:val"],
    "validate_every": 1000,
    "validate_limit": 300,
    "checkpoint_every": 500,
    "log_every": 20,
    "keep_images": True,
    "workers": 0,
}


@pytest.mark.parametrize("name", ["first-model", "etris-mini"])
def test_shipped_runs_have_present_names_and_old_ones_mean_the_same(
    name: str, tmp_path: Path
) -> None:
    shipped = SHIPPED_SYSTEMS / name / "training.json"
    config = TrainingConfig.load(shipped)
    config.save(tmp_path / "training.json")
    assert (tmp_path / "training.json").read_text() == shipped.read_text()
    assert not set(json.loads(shipped.read_text())) & set(OLD_NAMES)
    (tmp_path / "training.json").write_text(json.dumps({"system": name, **OLD_RUN}))
    assert TrainingConfig.load(tmp_path / "training.json") == config


def test_settings_of_every_study_are_read() -> None:
    paths = sorted(results_folder().glob("etris-*/*.json"))
    assert paths
    for path in paths:
        training = json.loads(path.read_text())["settings"]["training"]
        config = from_values(TrainingConfig, training, where=str(path), aliases=OLD_NAMES)
        assert config.batch_size == training["batch"]
        assert config.overrides == training["changes"]


def test_a_run_from_before_subsets_learned_from_all_images(tmp_path: Path) -> None:
    PLAIN.save(tmp_path / "training.json")
    values = json.loads((tmp_path / "training.json").read_text())
    assert (values.pop("num_images"), values.pop("subset_seed")) == (0, 0)
    (tmp_path / "training.json").write_text(json.dumps(values))
    assert TrainingConfig.load(tmp_path / "training.json") == PLAIN
    with pytest.raises(RisbookError, match="num_images is -1; it must be a whole number from 0"):
        TrainingConfig(system="first-model", data=("refscenes",), num_images=-1)


def test_an_old_multiplier_of_one_is_no_multiplier() -> None:
    values = {**to_values(PLAIN), "lr_multipliers": {}}
    del values["lr_multipliers"]
    for multiplier, expected in ((1.0, {}), (10.0, {"bridgers": 10.0})):
        old = {**values, "bridger_multiplier": multiplier}
        assert from_values(TrainingConfig, old, aliases=OLD_NAMES).lr_multipliers == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "the configuration is []; it must be values by name"),
        ("{", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ('{"system": [], "data": ["x"]}', "system is []; it must be text"),
        ('{"system": "x"}', "data is missing; it must be a list of one or more texts"),
        ('{"system": "x", "data": "x"}', "data is 'x'; it must be a list"),
        ('{"system": "x", "data": ["x"], "steps": 1e99}', "steps is 1e+99; it must be a whole"),
        ('{"system": "x", "data": ["x"], "steps": 99999999999999}', "steps is 99999999999999; it"),
        ('{"system": "x", "data": ["x"], "workers": 1000000}', "num_workers is 1000000; it must"),
        (
            '{"system": "x", "data": ["x"], "eyes": 2}',
            "the configuration has no 'eyes'; it has sys",
        ),
        ('{"system": "x", "data": ["x"], "learning_rate": NaN}', "learning_rate is nan; it must"),
    ],
)
def test_a_broken_file_is_one_line_with_its_name(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "training.json"
    path.write_text(text)
    with pytest.raises(RisbookError) as caught:
        TrainingConfig.load(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_overrides_are_as_json_gives_them_back() -> None:
    overrides: dict[str, Any] = {"widths": (4, 8)}
    config = TrainingConfig(system="first-model", data=("x",), overrides=overrides)
    assert config.overrides == {"widths": [4, 8]}
