"""The front door: what a newcomer types first works, in a new interpreter and in one line."""

import subprocess
import sys

import pytest
import torch
from torch.utils.data import DataLoader

import risbook
from risbook.errors import RisbookError


def test_every_room_opens_at_its_first_use() -> None:
    code = (
        "import sys, risbook; assert 'torch' not in sys.modules\n"
        "risbook.metrics.miou([[1]], [[1]]); assert 'torch' not in sys.modules\n"
        "print(*(type(getattr(risbook, name)).__name__ for name in dir(risbook)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"function", "module", "str"}
    with pytest.raises(AttributeError, match="has no attribute 'laod'"):
        risbook.laod  # noqa: B018


def test_a_split_is_batched_by_a_plain_loader() -> None:
    data = risbook.data.load("refscenes-sample", split="val")
    sample = data[0]
    assert set(sample) >= {"image", "text", "mask"}
    batch = next(iter(DataLoader(data, batch_size=2)))
    assert batch["image"].shape[0] == batch["mask"].shape[0] == len(batch["text"]) == 2
    assert batch["image"].shape[-2:] == batch["mask"].shape[-2:]


def test_metrics_take_a_batch_of_the_data() -> None:
    data = risbook.data.load("refscenes-sample", split="val")
    mask = next(iter(DataLoader(data, batch_size=3)))["mask"]  # soft at its edges
    with pytest.raises(RisbookError, match=r"threshold it first, for instance target > 0\.5"):
        risbook.metrics.miou(mask > 0, mask)
    target = mask > 0.5
    pred = torch.rand(target.shape, generator=torch.Generator().manual_seed(0)) > 0.5
    miou = risbook.metrics.miou(pred, target)
    assert 0 < miou < 1 and 0 < risbook.metrics.oiou(pred, target) < 1
    assert risbook.metrics.precision_at(pred, target, 0.9) == 0
    assert risbook.metrics.precision_at(target, target, [0.5, 0.9]) == {0.5: 1, 0.9: 1}
    assert risbook.metrics.miou(target, target) == pytest.approx(1, abs=1e-6)


def test_a_shipped_model_is_loaded_by_its_name() -> None:
    model = risbook.load("etris-mini")
    assert not model.training
    with pytest.raises(RisbookError, match="etris-mini"):
        risbook.load("etris-minni")
