"""The Bridgers' own learning rate: which parameters have it, when, and in a run that goes on."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from risbook.errors import RisbookError
from risbook.systems import ETRIS
from risbook.training import TrainingConfig, read_log, train_system

#: of one step: the optimiser's groups, each its rate and its parameters
Groups = list[tuple[float, list[torch.nn.Parameter]]]
#: two steps an epoch, three epochs: the released rate falls after the second
RATES = {
    "milestones": [1e-3, 1e-3, 1e-3, 1e-3, 1e-4, 1e-4],
    "cosine": [5e-4, 1e-3, 1e-3, 8.5355e-4, 5e-4, 1.4645e-4],
}
#: the same of the Bridgers: as released their rate is another only from the second epoch on
BRIDGER_RATES = {
    "milestones": [1e-3, 1e-3, 1e-2, 1e-2, 1e-3, 1e-3],
    "cosine": [10 * rate for rate in RATES["cosine"]],
}

pytestmark = pytest.mark.filterwarnings(
    "ignore::risbook.tokenizers.word_tokenizer.UnknownWordWarning"
)


@pytest.fixture
def config(etris_config: TrainingConfig) -> TrainingConfig:
    return replace(
        etris_config,
        steps=6,
        batch_size=32,
        warmup=2,
        save_every=1,
        lr_multipliers={"bridgers": 10.0},
    )


@pytest.fixture
def taken() -> Iterator[list[Groups]]:
    """The groups of every step that any optimiser takes."""
    steps: list[Groups] = []

    def note(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        steps.append([(group["lr"], group["params"]) for group in optimizer.param_groups])

    handle = register_optimizer_step_pre_hook(note)
    yield steps
    handle.remove()


def stop_at_three(step: int, loss: float) -> None:
    if step == 3:
        raise KeyboardInterrupt


@pytest.mark.parametrize("schedule", ["milestones", "cosine"])
def test_the_bridgers_have_their_own_rate(
    config: TrainingConfig, tmp_path: Path, taken: list[Groups], schedule: Any
) -> None:
    config = replace(config, schedule=schedule)
    system = train_system(config, tmp_path / "whole", show_progress=False)
    assert isinstance(system, ETRIS)
    bridgers = {id(p) for p in system.bridgers.parameters()}
    learned = {id(p) for p in system.parameters() if p.requires_grad}
    for (_, others), (_, own) in taken:
        assert {id(p) for p in own} == bridgers
        assert {id(p) for p in others} == learned - bridgers
        assert len(own) + len(others) == len(learned)
    rates = [[rate for rate, _ in groups] for groups in taken]
    assert [rate for rate, _ in rates] == pytest.approx(RATES[schedule], rel=1e-4)
    assert [rate for _, rate in rates] == pytest.approx(BRIDGER_RATES[schedule], rel=1e-4)
    logged = [row["lr"] for row in read_log(tmp_path / "whole" / "log.jsonl")]
    assert logged == [rate for rate, _ in rates]

    # In the second epoch, between two steps of which the Bridgers' own rate decides the second.
    with pytest.raises(KeyboardInterrupt):
        train_system(config, tmp_path / "stopped", show_progress=False, on_step=stop_at_three)
    train_system(config, tmp_path / "stopped", resume=True, show_progress=False)
    first, second = (
        (tmp_path / run / "model.safetensors").read_bytes() for run in ("whole", "stopped")
    )
    assert first == second
    assert [[rate for rate, _ in groups] for groups in taken] == rates + rates


def test_with_the_same_rate_there_is_one_group(
    config: TrainingConfig, tmp_path: Path, taken: list[Groups]
) -> None:
    """As before there was a choice, so that states from then still fit."""
    config = replace(config, steps=1, lr_multipliers={"bridgers": 1.0})
    system = train_system(config, tmp_path / "run", show_progress=False)
    (((_, parameters),),) = taken
    learned = [p for p in system.parameters() if p.requires_grad]
    assert [id(p) for p in parameters] == [id(p) for p in learned]
    state = torch.load(tmp_path / "run" / "progress.pt", weights_only=True)["optimizer"]
    plain = torch.optim.Adam(learned).state_dict()
    names = {*plain["param_groups"][0], "initial_lr", "lr_scale"}
    assert state["param_groups"][0].keys() == names


def test_another_multiplier_is_another_run(config: TrainingConfig, tmp_path: Path) -> None:
    train_system(replace(config, steps=1), tmp_path / "run", show_progress=False)
    with pytest.raises(RisbookError, match="that run had another lr_multipliers"):
        train_system(
            replace(config, steps=1, lr_multipliers={"bridgers": 1.0}),
            tmp_path / "run",
            resume=True,
            show_progress=False,
        )


@pytest.mark.parametrize("system", ["etris-mini-rn", "first-model"])
def test_a_system_without_bridgers(config: TrainingConfig, tmp_path: Path, system: str) -> None:
    overrides = {**config.overrides, "stages": []} if system == "etris-mini-rn" else {}
    config = replace(config, system=system, overrides=overrides)
    message = f"lr_multipliers.bridgers is 10.0, but this {system} has no bridgers; leave it out"
    with pytest.raises(RisbookError, match=message):
        train_system(config, tmp_path / "run", show_progress=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("multiplier", [0.0, -10.0, float("inf"), float("nan")])
def test_a_multiplier_that_makes_no_sense(config: TrainingConfig, multiplier: float) -> None:
    with pytest.raises(
        RisbookError,
        match=rf"lr_multipliers\.bridgers is {multiplier}; it must be a number above 0$",
    ):
        replace(config, lr_multipliers={"bridgers": multiplier})
