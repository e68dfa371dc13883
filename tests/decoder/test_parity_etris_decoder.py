"""Neck, decoder and projector equal the released ones, outputs, gradients and statistics."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from risbook.decoder.convolutions import CoordConv
from risbook.decoder.global_alignment import GlobalAlignment
from risbook.decoder.hierarchical_alignment import HierarchicalAlignment
from risbook.decoder.projector import Projector
from risbook.decoder.sine_tables import map_positions, word_positions


def arrays(shared: Path, name: str) -> dict[str, Tensor]:
    path = shared / "parity" / "etris" / name
    if not path.is_file():
        pytest.skip(f"recorded data is not here: {path}")
    with np.load(path) as file:
        return {key: torch.tensor(file[key]) for key in file.files}


def take(module: nn.Module, file: dict[str, Tensor]) -> None:
    weights = {k.removeprefix("w."): v for k, v in file.items() if k.startswith("w.")}
    module.load_state_dict(weights, strict=True)
    module.eval()


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=2e-5, rtol=1e-4)


def check_step(module: nn.Module, file: dict[str, Tensor]) -> None:
    """Gradients that were accumulated and statistics that moved, against the recorded ones."""
    gradients = {
        name: value
        for name, value in module.named_parameters()
        if any(f"{kind}.{name}" in file for kind in ("grad", "grad.train"))
    }
    assert gradients
    for name, value in gradients.items():
        assert value.grad is not None, name
        close(value.grad, file.get(f"grad.{name}", file.get(f"grad.train.{name}", value)))
    for name, value in module.named_buffers():
        if f"train.buf.{name}" in file:
            close(value.float(), file[f"train.buf.{name}"].float())


@pytest.mark.parametrize(
    ("kit", "channels", "scales"),
    [
        ("neck_ha_rn.npz", (32, 64, 24), (1 / 2, 1, 2)),
        ("neck_ha_vit.npz", (24, 24, 24), (1, 1, 1)),
    ],
)
def test_parity_neck(
    shared: Path, kit: str, channels: tuple[int, ...], scales: tuple[float, ...]
) -> None:
    file = arrays(shared, kit)
    neck = HierarchicalAlignment(
        channels=channels, scales=scales, sentence_width=24, width=16, heads=4
    )
    take(neck, file)
    maps = [file[f"in.vis{number}"] for number in range(3)]
    record: dict[str, Tensor] = {}
    close(neck(maps, file["in.state"], record=record), file["out.eval"])
    for stage in (3, 4, 5):
        gated = record[f"stage {stage}"].flatten(2).permute(2, 0, 1)
        close(gated, file[f"mid.fusion{stage}"])
    neck.train()
    output = neck(maps, file["in.state"])
    close(output, file["out.train"])
    (output * file["grad_probe.train"]).sum().backward()
    check_step(neck, file)
    dead = neck.fusion3.multihead_attn.in_proj_weight.grad
    assert dead is not None and not bool(dead[:32].any())


def test_parity_coordinates(shared: Path) -> None:
    file = arrays(shared, "coordconv.npz")
    module = CoordConv(6, 8)
    take(module, file)
    close(module(file["in.x"]), file["out.eval"])


def test_parity_decoder(shared: Path) -> None:
    file = arrays(shared, "decoder_ga.npz")
    decoder = GlobalAlignment(width=16, layers=3, heads=4, hidden=24, dropout=0.0)
    take(decoder, file)
    record: dict[str, Tensor] = {}
    padding = file["in.pad_mask"]
    output = decoder(file["in.vis"], file["in.txt"], padding, record=record)
    close(output.flatten(2), file["out"])
    close(decoder(file["in.vis"], file["in.txt"], padding).flatten(2), file["out"])
    for number in range(3):
        layer = record[f"layer {number + 1}"].flatten(2)
        close(layer.permute(2, 0, 1), file[f"mid.layer{number}"])
        assert not bool(record[f"attention {number + 1}"].transpose(1, 3)[padding].any())
    (output.flatten(2) * file["grad_probe"]).sum().backward()
    check_step(decoder, file)


def test_parity_sine_tables(shared: Path) -> None:
    file = arrays(shared, "positional_encodings.npz")
    close(word_positions(17, 512)[0], file["pos1d_512_17"][:, 0])
    index = file["pos2d_512_26_26_token_index"]
    close(map_positions(26, 26, 512)[0, index], file["pos2d_512_26_26_first_row_and_col"][:, 0])
    close(map_positions(3, 5, 8)[0], file["pos2d_8_3_5"][:, 0])


def test_parity_projector(shared: Path) -> None:
    file = arrays(shared, "projector.npz")
    projector = Projector(sentence_width=24, width=8)
    take(projector, file)
    record: dict[str, Tensor] = {}
    close(projector(file["in.x"], file["in.word"], record=record), file["out.eval"])
    close(record["pixels"], file["mid.vis.eval"])
    projector.train()
    output = projector(file["in.x"], file["in.word"])
    close(output, file["out.train"])
    (output * file["grad_probe.train"]).sum().backward()
    check_step(projector, file)
