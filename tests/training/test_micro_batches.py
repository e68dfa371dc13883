"""A batch in parts, and a compiled step: the same weights as without."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import risbook


class SmallNetwork(nn.Module):
    """Mask logits from an image and the number of words; without batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.mask_conv = nn.Conv2d(8, 1, 1)

    def forward(self, images: Tensor, texts: list[str]) -> Tensor:
        counts = torch.tensor([float(len(text.split())) for text in texts])
        logits: Tensor = self.mask_conv(self.conv(images).relu() + counts.view(-1, 1, 1, 1))
        return logits


def train_small(data: Any, **fields: Any) -> list[dict[str, Any]]:
    torch.manual_seed(0)
    fields = {"steps": 3, "batch_size": 8, "log_every": 1, "precision": "no", **fields}
    network = risbook.train(SmallNetwork(), data, show_progress=False, **fields)
    return list(network.history)


@pytest.fixture(scope="module")
def data(tiny_world: Any) -> Any:
    return risbook.data.load(str(tiny_world / "refscenes"), split="train", image_size=32)


@pytest.mark.parametrize("fields", [{"micro_batch": 3}, {"compile_backend": "aot_eager"}], ids=str)
def test_the_losses_are_those_of_the_plain_step(data: Any, fields: dict[str, Any]) -> None:
    plain, other = train_small(data), train_small(data, **fields)
    assert [row["loss"] for row in other] == pytest.approx([row["loss"] for row in plain], abs=1e-6)
    # Twice the samples are another step, so equal losses are no accident.
    larger = train_small(data, batch_size=16)
    assert larger[-1]["loss"] != pytest.approx(plain[-1]["loss"], abs=1e-6)
