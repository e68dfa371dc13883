"""Pretraining in the training loop: a killed run goes on to the same weights."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from risbook.errors import RisbookError, TrainingDivergedError
from risbook.pretraining.pretrain import pretrain
from risbook.pretraining.pretraining_objective import PretrainingConfig, PretrainingObjective
from risbook.training.run_log import read_log


class Line(PretrainingObjective):
    """Fits a line to noise that follows from the step; every third step has a second loss."""

    def __init__(self, loop: PretrainingConfig) -> None:
        super().__init__(loop)
        torch.manual_seed(0)
        self.layer = nn.Linear(4, 1)
        self.updates = 0
        self.stop_at = -1

    def forward(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        if step == self.stop_at:
            raise KeyboardInterrupt
        x = torch.randn(16, 4, generator=generator)
        loss = (self.layer(x) - x[:, :1]).square().mean()
        return {"loss": loss, **({"third": loss.detach()} if step % 3 == 0 else {})}

    def update(self, step: int, steps: int) -> None:
        self.updates += 1


CPU = torch.device("cpu")


def test_a_killed_run_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    config = PretrainingConfig(steps=20, warmup=2, log_every=5, save_every=6, precision="no")
    whole = Line(config)
    pretrain(whole, tmp_path / "whole", device=CPU)
    killed = Line(config)
    killed.stop_at = 15
    with pytest.raises(KeyboardInterrupt):
        pretrain(killed, tmp_path / "killed", device=CPU)
    resumed = Line(config)
    pretrain(resumed, tmp_path / "killed", device=CPU, resume=True)
    assert resumed.updates == 20 - 12
    assert torch.equal(resumed.layer.weight, whole.layer.weight)
    logs = [read_log(tmp_path / name / "log.jsonl") for name in ("whole", "killed")]
    for row in logs[0] + logs[1]:
        row.pop("seconds")
    assert [row["step"] for row in logs[0]] == [5, 10, 15, 20]
    assert all("third" in row for row in logs[0])
    assert logs[0] == logs[1]


def test_two_runs_are_never_mixed(tmp_path: Path) -> None:
    with pytest.raises(RisbookError, match="no run to resume here"):
        pretrain(Line(PretrainingConfig(steps=2)), tmp_path, device=CPU, resume=True)
    pretrain(Line(PretrainingConfig(steps=2, precision="no")), tmp_path, device=CPU)
    with pytest.raises(RisbookError, match="already holds a run"):
        pretrain(Line(PretrainingConfig(steps=2, precision="no")), tmp_path, device=CPU)
    other = PretrainingConfig(steps=3, precision="no")
    with pytest.raises(RisbookError, match=r"another loop\.steps; resume with its own"):
        pretrain(Line(other), tmp_path, device=CPU, resume=True)


def test_settings_under_their_first_names_are_those_of_the_same_run(tmp_path: Path) -> None:
    config = PretrainingConfig(steps=2, precision="no", save_every=7)
    pretrain(Line(config), tmp_path, device=CPU)
    path = tmp_path / "pretraining.json"
    path.write_text(path.read_text().replace("save_every", "checkpoint_every"))
    pretrain(Line(config), tmp_path, device=CPU, resume=True)
    assert "save_every" in path.read_text()


@pytest.mark.parametrize("content", ["[]", '{"loop": 3}', "no JSON", "[" * 100_000, "\udcff"])
def test_broken_settings_are_told_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "pretraining.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(RisbookError, match=r"^.*pretraining\.json: [^\n]*$"):
        pretrain(Line(PretrainingConfig(steps=2)), tmp_path, device=CPU, resume=True)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    line = Line(PretrainingConfig(steps=2, precision="no"))
    nn.init.constant_(line.layer.weight, float("nan"))
    with pytest.raises(TrainingDivergedError, match="loss is nan at step 1"):
        pretrain(line, tmp_path, device=CPU)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"learning_rate": -1.0}])
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RisbookError, match=next(iter(wrong))):
        PretrainingConfig(**{"steps": 2, **wrong})  # type: ignore[arg-type]
