"""The released schedule of ETRIS, epoch by epoch."""

from pathlib import Path

import numpy as np
import pytest

from risbook.training.schedule import milestone_rate

#: steps of an epoch: RefCOCO's 42,404 objects in batches of 32
EPOCH = 42_404 // 32
#: of the Bridgers' rate, and what is recorded for it
MULTIPLIERS = [1, 10]
RECORDED = "lr_multi{}.backbone_group_then_head_group_by_epoch"


@pytest.mark.parametrize("multiplier", MULTIPLIERS)
def test_parity_learning_rates(shared: Path, multiplier: int) -> None:
    path = shared / "parity" / "etris" / "lr_schedule.npz"
    if not path.is_file():
        pytest.skip(f"recorded data is not here: {path}")
    with np.load(path) as file:
        assert set(file) == {RECORDED.format(one) for one in MULTIPLIERS}
        rates = file[RECORDED.format(multiplier)]
    assert len(rates) == 50
    for epoch, (bridgers, others) in enumerate(rates):
        for step in (epoch * EPOCH, (epoch + 1) * EPOCH - 1):
            run = {"peak": 1e-4, "steps": 50 * EPOCH, "epoch_steps": EPOCH}
            assert milestone_rate(step, **run, multiplier=multiplier) == pytest.approx(bridgers)
            assert milestone_rate(step, **run) == pytest.approx(others)
