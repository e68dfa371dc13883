"""Runs of seconds, for the tests of this room."""

from pathlib import Path

import pytest

from risbook.training import TrainingConfig


@pytest.fixture
def config(tiny_world: Path) -> TrainingConfig:
    sizes = {
        "image_size": 32,
        "widths": (4, 8, 8, 16),
        "blocks": 1,
        "word_width": 8,
        "text_width": 16,
        "decoder_width": 16,
    }
    return TrainingConfig(
        system="first-model",
        data=(str(tiny_world / "refscenes"),),
        overrides=sizes,
        steps=12,
        batch_size=8,
        warmup=2,
        precision="no",
        checkpoint_every=3,
        log_every=2,
    )


@pytest.fixture
def etris_config(tiny_world: Path, mini_towers: Path) -> TrainingConfig:
    return TrainingConfig(
        system="etris-mini-rn",
        data=(str(tiny_world / "refscenes"),),
        overrides={"weights": str(mini_towers), "image_size": 96, "dropout": 0.1},
        steps=4,
        batch_size=4,
        warmup=1,
        precision="no",
        checkpoint_every=2,
        log_every=1,
    )
