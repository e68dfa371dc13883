"""The loop of pretraining: a killed run goes on to the same weights."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from risbook.errors import DataError, RisbookError
from risbook.pretraining.pretrain import LoopConfig, pretrain
from risbook.training.run_log import read_log


class Line(nn.Module):
    """Fits a line to noise that follows from the step."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(4, 1)
        self.updates = 0
        self.stop_at = -1

    def forward(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        if step == self.stop_at:
            raise KeyboardInterrupt
        x = torch.randn(16, 4, generator=generator)
        return {"loss": (self.layer(x) - x[:, :1]).square().mean()}

    def update(self, step: int, steps: int) -> None:
        self.updates += 1


CPU = torch.device("cpu")


def test_a_killed_run_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    config = LoopConfig(steps=20, warmup=2, log_every=5, checkpoint_every=6, precision="no")
    whole = Line()
    pretrain(whole, config, tmp_path / "whole", device=CPU)
    killed = Line()
    killed.stop_at = 15
    with pytest.raises(KeyboardInterrupt):
        pretrain(killed, config, tmp_path / "killed", device=CPU)
    again = Line()
    pretrain(again, config, tmp_path / "killed", device=CPU, resume=True)
    assert again.updates == 20 - 12
    assert torch.equal(again.layer.weight, whole.layer.weight)
    logs = [
        [(row["step"], row["loss"]) for row in read_log(tmp_path / name / "log.jsonl")]
        for name in ("whole", "killed")
    ]
    assert [step for step, _ in logs[0]] == [5, 10, 15, 20]
    assert [step for step, _ in logs[1]] == [5, 10, 15, 20]
    assert logs[0][0] == logs[1][0] and logs[0][3] == logs[1][3]


def test_another_runs_state_is_refused(tmp_path: Path) -> None:
    pretrain(Line(), LoopConfig(steps=2, precision="no"), tmp_path, device=CPU)
    with pytest.raises(DataError, match=r"run of 2 steps with seed 0.*not of 3"):
        pretrain(Line(), LoopConfig(steps=3, precision="no"), tmp_path, device=CPU, resume=True)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    line = Line()
    nn.init.constant_(line.layer.weight, float("nan"))
    with pytest.raises(RisbookError, match="loss at step 1"):
        pretrain(line, LoopConfig(steps=2, precision="no"), tmp_path, device=CPU)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"learning_rate": -1.0}])
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RisbookError, match=next(iter(wrong))):
        LoopConfig(**{"steps": 2, **wrong})  # type: ignore[arg-type]
