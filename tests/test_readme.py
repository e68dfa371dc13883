"""The Python of the README runs as it stands, on fewer steps and on the data of the package."""

import re
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

import risbook

README = Path(__file__).resolve().parent.parent / "README.md"


class Network(torch.nn.Module):
    """A network of one's own."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 1, 3, padding=1)

    def forward(self, image: torch.Tensor, text: list[str]) -> torch.Tensor:
        logits: torch.Tensor = self.layer(image)
        return logits


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timm = pytest.importorskip("timm")
    plt.switch_backend("agg")
    monkeypatch.chdir(tmp_path)
    scene = risbook.data.load("refscenes-sample", split="val").image(0)
    Image.fromarray(scene).save("photo.jpg")
    Image.fromarray(np.eye(*scene.shape[:2], dtype=bool)).save("mask.png")
    names: dict[str, Any] = {
        "torch": torch,
        "DataLoader": DataLoader,
        "pred": np.ones((2, 2), bool),
        "target": np.eye(2, dtype=bool),
        "my_network": Network(),
        "other": risbook.load("etris-mini"),
        "any_timm_vit": timm.create_model("vit_tiny_patch16_224", img_size=32, depth=2),
        "images": torch.rand(2, 3, 96, 96),
        "sentences": ["the left dog", "the ball"],
    }
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 6
    for block in blocks:
        lines = [line for line in block.splitlines() if '"refcoco"' not in line]
        code = (
            "\n".join(lines)
            .replace("steps=200", "steps=2")
            .replace('"refscenes"', '"refscenes-sample"')
        )
        exec(compile(code, str(README), "exec"), names)
        if "mask" in names and not names["mask"].any():
            names["mask"] = np.ones_like(names["mask"])  # samples of one's own have an object
        plt.close("all")
    assert names["metrics"]["count"] == 30 and names["loss"].requires_grad
    assert names["feature_map"].shape[0] == names["text_tokens"].shape[0] == 2
