"""A loss of one's own: what it may return, and what of that is in the log."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import risbook
from risbook.errors import ArgumentError, RisbookError
from risbook.systems.losses import LOSSES, register_loss
from risbook.training import TrainingConfig, read_log, train_system
from risbook.training.named_losses import named_losses


def test_only_the_minimised_loss_keeps_its_gradient() -> None:
    weight = torch.ones(1, requires_grad=True)
    losses = named_losses({"loss": 2 * weight, "dice": 3 * weight})
    assert losses["loss"].requires_grad and losses["loss"].ndim == 0
    assert not losses["dice"].requires_grad and losses["dice"].item() == 3
    assert named_losses(weight.sum()).keys() == {"loss"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dice": torch.ones(())}, "returned dice; the value to minimise must be among them as"),
        ({}, "returned no loss"),
        (torch.ones(2, 1), r"a Tensor of \(2, 1\) as 'loss'; it must be a tensor with one number"),
        ({"loss": torch.ones(()), "dice": 0.5}, "a float as 'dice'"),
        (None, "a NoneType as 'loss'"),
        ({"loss": torch.ones(()), "epoch": torch.ones(())}, "'epoch', which the log uses"),
    ],
)
def test_a_loss_of_another_form_is_told_in_one_line(values: Any, message: str) -> None:
    with pytest.raises(RisbookError, match=message) as error:
        named_losses(values)
    assert "\n" not in str(error.value)


def test_every_named_loss_is_in_the_history(config: TrainingConfig) -> None:
    def loss(logits: Tensor, target: Tensor) -> dict[str, Tensor]:
        assert logits.shape == target.shape and logits.dtype == torch.float32
        cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
        area = logits.sigmoid().mean()
        return {"loss": cross_entropy + 0.1 * area, "cross_entropy": cross_entropy, "area": area}

    model = risbook.train(
        "first-model",
        config.data[0],
        overrides=config.overrides,
        steps=3,
        batch_size=4,
        loss=loss,
        show_progress=False,
    )
    assert len(model.history) == 3
    for row in model.history:
        assert row["loss"] == pytest.approx(row["cross_entropy"] + 0.1 * row["area"], rel=1e-4)


def test_a_loss_by_name_is_in_the_configuration(
    config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LOSSES, "own", None)  # so that it is gone after the test
    register_loss("own", LOSSES["cross-entropy"])
    losses = {}
    for name in ("", "cross-entropy", "own", "dice"):
        folder = tmp_path / (name or "default")
        train_system(replace(config, steps=1, loss=name), folder, show_progress=False)
        assert TrainingConfig.load(folder / "training.json").loss == name
        losses[name] = read_log(folder / "log.jsonl")[0]["loss"]
    assert losses[""] == losses["cross-entropy"] == losses["own"] != losses["dice"]
    with pytest.raises(RisbookError, match="that run had another loss"):
        train_system(replace(config, steps=1), tmp_path / "dice", resume=True)
    with pytest.raises(ArgumentError, match="no loss is called 'focal'; there are: cross-entropy"):
        risbook.train("first-model", "no-such-data", steps=1, loss="focal")
    with pytest.raises(ArgumentError, match="no loss is called 'focal'"):
        train_system(replace(config, data=("no-such-data",), loss="focal"), tmp_path / "focal")
