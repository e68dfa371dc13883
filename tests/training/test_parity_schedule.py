"""The released schedule of ETRIS, epoch by epoch."""

import pytest
from parity import Recording

from risbook.training.schedule import milestone_lr

#: steps of an epoch: RefCOCO's 42,404 objects in batches of 32
EPOCH = 42_404 // 32
#: of the Bridgers' rate, and what is recorded for it
MULTIPLIERS = [1, 10]
RECORDED = "lr_multi{}.backbone_group_then_head_group_by_epoch"


@pytest.mark.parametrize("multiplier", MULTIPLIERS)
def test_parity_learning_rates(multiplier: int) -> None:
    file = Recording("etris/lr_schedule.npz")
    assert set(file) == {RECORDED.format(multiplier) for multiplier in MULTIPLIERS}
    rates = file.array(RECORDED.format(multiplier))
    for epoch, (bridgers, others) in enumerate(rates):
        for step in (epoch * EPOCH, (epoch + 1) * EPOCH - 1):
            run = {"peak": 1e-4, "steps": len(rates) * EPOCH, "epoch_steps": EPOCH}
            assert milestone_lr(step, **run, lr_scale=multiplier) == pytest.approx(bridgers)
            assert milestone_lr(step, **run) == pytest.approx(others)
