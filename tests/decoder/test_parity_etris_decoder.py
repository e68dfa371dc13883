"""Neck, decoder and projector equal the released ones, outputs, gradients and statistics."""

import pytest
from parity import Recording, outputs_of
from torch import Tensor, nn

from risbook.decoder.convolutions import CoordConv
from risbook.decoder.global_alignment import GlobalAlignment
from risbook.decoder.hierarchical_alignment import HierarchicalAlignment
from risbook.decoder.projector import Projector
from risbook.decoder.sine_pos_embed import sine_pos_embed_1d, sine_pos_embed_2d

#: absolute tolerance, stricter than the files' README asks for
STRICT = 2e-5


def take(module: nn.Module, file: Recording) -> None:
    module.load_state_dict(file.below("w."), strict=True)
    module.eval()


def check_step(module: nn.Module, file: Recording) -> None:
    """Gradients that were accumulated and statistics that moved, against the recorded ones."""
    for name, value in module.named_parameters():
        file.compare(f"grad.{name}", value.grad)
    for name, value in module.named_buffers():
        file.compare(f"train.buf.{name}", value)


@pytest.mark.parametrize(
    ("kit", "channels", "scales"),
    [
        ("etris/neck_ha_rn.npz", (32, 64, 24), (1 / 2, 1, 2)),
        ("etris/neck_ha_vit.npz", (24, 24, 24), (1, 1, 1)),
    ],
)
def test_parity_neck(kit: str, channels: tuple[int, ...], scales: tuple[float, ...]) -> None:
    file = Recording(kit, atol=STRICT)
    neck = HierarchicalAlignment(
        channels=channels, scales=scales, sentence_width=24, width=16, heads=4
    )
    take(neck, file)
    outputs = outputs_of(neck)
    maps = [file[f"in.vis{number}"] for number in range(3)]
    record: dict[str, Tensor] = {}
    file.compare("out.eval", neck(maps, file["in.state"], record=record))
    for name in ("f3_proj", "f4_proj", "f5_proj", "aggr", "coordconv"):
        file.compare(f"mid.{name}", outputs[name])
    file.compare("mid.txt_proj", outputs["txt_proj"][None])
    for stage in (3, 4, 5):
        gated = record[f"stage {stage}"].flatten(2).permute(2, 0, 1)
        file.compare(f"mid.fusion{stage}", gated)
    neck.train()
    output = neck(maps, file["in.state"])
    file.compare("out.train", output)
    (output * file["grad_probe.train"]).sum().backward()
    check_step(neck, file)
    dead = neck.fusion3.multihead_attn.in_proj_weight.grad
    assert dead is not None and not bool(dead[:32].any())
    file.assert_all_compared()


def test_parity_coordinates() -> None:
    file = Recording("etris/coordconv.npz", atol=STRICT)
    module = CoordConv(6, 8)
    take(module, file)
    seen: list[Tensor] = []
    module.conv1.register_forward_pre_hook(lambda _, given: seen.extend(given))
    file.compare("out.eval", module(file["in.x"]))
    file.compare("mid.with_coords", seen[0])
    file.assert_all_compared()


def test_parity_decoder() -> None:
    file = Recording("etris/decoder_ga.npz", atol=STRICT)
    decoder = GlobalAlignment(width=16, layers=3, heads=4, hidden=24, dropout=0.0)
    take(decoder, file)
    record: dict[str, Tensor] = {}
    padding = file["in.pad_mask"]
    output = decoder(file["in.vis"], file["in.txt"], padding, record=record)
    file.compare("out", output.flatten(2))
    file.compare("out", decoder(file["in.vis"], file["in.txt"], padding).flatten(2))
    for number in range(3):
        layer = record[f"layer {number + 1}"].flatten(2)
        file.compare(f"mid.layer{number}", layer.permute(2, 0, 1))
        # The released decoder can also be asked for all layers, each behind the last norm.
        normed = decoder.norm(layer.transpose(1, 2)).transpose(1, 2)
        file.compare(f"out.intermediate{number}", normed)
        assert not bool(record[f"attention {number + 1}"].transpose(1, 3)[padding].any())
    file.compare("mid.pos2d_16_4_6", sine_pos_embed_2d(4, 6, 16).transpose(0, 1))
    file.compare("mid.pos1d_16_7", sine_pos_embed_1d(7, 16).transpose(0, 1))
    (output.flatten(2) * file["grad_probe"]).sum().backward()
    check_step(decoder, file)
    file.assert_all_compared()


def test_parity_sine_tables() -> None:
    file = Recording("etris/positional_encodings.npz", atol=STRICT)
    places = "pos2d_512_26_26_token_index"
    file.compare("pos1d_512_17", sine_pos_embed_1d(17, 512).transpose(0, 1))
    some = sine_pos_embed_2d(26, 26, 512)[:, file[places]]
    file.compare("pos2d_512_26_26_first_row_and_col", some.transpose(0, 1))
    file.compare("pos2d_8_3_5", sine_pos_embed_2d(3, 5, 8).transpose(0, 1))
    file.assert_all_compared(places)


def test_parity_projector() -> None:
    file = Recording("etris/projector.npz", atol=STRICT)
    projector = Projector(sentence_width=24, width=8)
    take(projector, file)
    outputs = outputs_of(projector)
    record: dict[str, Tensor] = {}
    file.compare("out.eval", projector(file["in.x"], file["in.word"], record=record))
    file.compare("mid.vis.eval", record["pixels"])
    file.compare("mid.txt.eval", outputs["txt"])
    projector.train()
    output = projector(file["in.x"], file["in.word"])
    file.compare("out.train", output)
    (output * file["grad_probe.train"]).sum().backward()
    check_step(projector, file)
    file.assert_all_compared()
