"""The released schedule of ETRIS, epoch by epoch."""

from pathlib import Path

import numpy as np
import pytest

from risbook.training.schedule import milestone_rate


@pytest.mark.parametrize("multiplier", [1, 10])
def test_parity_learning_rates(shared: Path, multiplier: int) -> None:
    path = shared / "parity" / "etris" / "lr_schedule.npz"
    if not path.is_file():
        pytest.skip(f"recorded data is not here: {path}")
    with np.load(path) as file:
        rates = file[f"lr_multi{multiplier}.backbone_group_then_head_group_by_epoch"]
    for epoch, (bridgers, others) in enumerate(rates):
        assert milestone_rate(epoch, multiplier=multiplier) == pytest.approx(bridgers)
        assert milestone_rate(epoch) == pytest.approx(others)
