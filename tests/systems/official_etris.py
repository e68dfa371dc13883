"""Helpers of the parity tests of ETRIS: recorded files, small models, the drawing of weights."""

import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from risbook.systems.etris import ETRIS, ETRISConfig
from risbook.systems.rename_etris import rename_etris
from risbook.systems.system import NoTokenizer
from risbook.systems.tower_system import ImageTower
from risbook.towers.clip_resnet import CLIPResNet
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.text_transformer import TextTransformer

#: of the recorded small models
SMALL = ETRISConfig(
    image_size=64,
    word_length=7,
    bridger_width=8,
    bridger_heads=2,
    decoder_width=16,
    decoder_heads=4,
    decoder_hidden=24,
    projector_width=8,
    dropout=0.0,
)


def arrays(shared: Path, name: str) -> dict[str, Any]:
    path = shared / "parity" / "etris" / name
    if not path.is_file():
        pytest.skip(f"recorded data is not here: {path}")
    with np.load(path) as file:
        return {
            key: torch.tensor(file[key]) if file[key].dtype.kind in "bif" else file[key]
            for key in file.files
        }


def below(state: dict[str, Any], prefix: str) -> dict[str, Tensor]:
    return {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}


def close(actual: Tensor, expected: Tensor, tolerance: float = 1e-4) -> None:
    torch.testing.assert_close(actual, expected, atol=tolerance, rtol=tolerance)


def small_towers(*, resnet: bool) -> tuple[ImageTower, TextTransformer]:
    image: ImageTower
    if resnet:
        image = CLIPResNet(layers=(1, 2, 1, 1), width=4, output=24, heads=2, table=3)
    else:
        image = ImageTransformer(
            kind="clip", width=24, depth=12, heads=3, patch=8, table=4, projection=24
        )
    text = TextTransformer(vocabulary=50, width=16, depth=12, heads=2, context=20, projection=24)
    return image, text


def small_etris(*, resnet: bool, **changes: Any) -> ETRIS:
    config = replace(SMALL, image_size=64 if resnet else 32, **changes)
    towers = small_towers(resnet=resnet)
    return ETRIS(config=config, towers=towers, tokenizer=NoTokenizer(config.word_length))


def recorded_etris(
    shared: Path, name: str, *, resnet: bool, **changes: Any
) -> tuple[ETRIS, dict[str, Any]]:
    """A small ETRIS with the weights of a recorded file, and the file."""
    file = arrays(shared, name)
    system = small_etris(resnet=resnet, **changes)
    load(system, below(file, "w."), resnet=resnet)
    return system.eval(), file


def load(system: ETRIS, official: dict[str, Tensor], *, resnet: bool) -> None:
    ours = rename_etris(official, resnet=resnet)
    wanted = system.state_dict()
    assert set(ours) == set(wanted), sorted(set(ours) ^ set(wanted))[:5]
    system.load_state_dict(ours, strict=True)


def drawn(name: str, shape: tuple[int, ...]) -> Tensor:
    """The weight that the recorder drew for a name (README of the recorded files)."""
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return torch.tensor(0)
    if leaf == "logit_scale":
        return torch.tensor(np.log(1 / 0.07), dtype=torch.float32)
    count = int(np.prod(shape)) if shape else 1
    n = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(count).reshape(shape)
    if leaf == "running_var":
        value = 1 + 0.2 * np.abs(n)
    elif leaf == "running_mean" or "positional_embedding" in leaf or leaf == "class_embedding":
        value = 0.1 * n
    elif name.endswith("token_embedding.weight"):
        value = 0.3 * n
    elif len(shape) >= 2:
        value = n / np.sqrt(np.prod(shape[1:]))
        if name.endswith("proj.txt.weight") or name == "txt.weight":
            value = 0.1 * value
    elif leaf in ("bias", "in_proj_bias"):
        value = 0.05 * n
    else:
        value = 1 + 0.1 * n
    return torch.from_numpy(value.astype(np.float32))
