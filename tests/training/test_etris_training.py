"""ETRIS in the loop that trains everything: it learns, and a stopped run goes on to the bit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from risbook.systems import load_system
from risbook.systems.system_presets import system_config
from risbook.training import TrainingConfig, read_log, train_system


@pytest.fixture
def config(etris_config: TrainingConfig) -> TrainingConfig:
    return etris_config


@pytest.mark.filterwarnings("ignore::risbook.tokenizers.word_tokenizer.UnknownWordWarning")
def test_a_stopped_run_ends_where_a_whole_one_ends(config: TrainingConfig, tmp_path: Path) -> None:
    train_system(config, tmp_path / "whole", show_progress=False)

    def stop(step: int, loss: float) -> None:
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_system(config, tmp_path / "stopped", show_progress=False, on_step=stop)
    state = torch.load(tmp_path / "stopped" / "progress.pt", weights_only=True)
    learned = set(state["model"])
    assert not any(name.startswith("text_tower.text.encoder") for name in learned)
    train_system(config, tmp_path / "stopped", resume=True, show_progress=False)
    whole, stopped = (
        load_file(tmp_path / run / "model.safetensors") for run in ("whole", "stopped")
    )
    assert set(whole) == set(stopped) == learned
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)
    assert any("running_mean" in name for name in whole)
    assert load_system(tmp_path / "whole").name == "etris-mini-rn"


@pytest.mark.filterwarnings("ignore::risbook.tokenizers.word_tokenizer.UnknownWordWarning")
@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"bridger.stages": [], "image_peft.method": "lora", "text_peft.method": "lora"},
        {"bridger.stages": [], "image_peft.method": "full", "text_peft.method": "full"},
        {"image_peft": {"method": "houlsby", "options": {"bottleneck_dim": 8}}},
    ],
    ids=str,
)
def test_it_learns(config: TrainingConfig, tmp_path: Path, overrides: dict[str, Any]) -> None:
    # 64 of 144 patches and half of the steps that a smooth curve would need: seconds per method
    small = {"weights": config.overrides["weights"], "image_size": 64}
    config = replace(
        config,
        system="etris-mini",
        overrides={**small, **overrides},
        steps=12,
        batch_size=8,
        save_every=12,
    )
    train_system(config, tmp_path / "run", show_progress=False)
    losses = [row["loss"] for row in read_log(tmp_path / "run" / "log.jsonl")]
    assert sum(losses[-4:]) < 0.75 * sum(losses[:4])
    assert load_system(tmp_path / "run").config == system_config(config.system, config.overrides)
