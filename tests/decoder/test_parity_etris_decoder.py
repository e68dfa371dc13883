"""Neck, decoder and projector equal the released ones, outputs, gradients and statistics."""

import pytest
import torch
from parity import Recording, outputs_of
from torch import Tensor, nn

from risbook.decoder.global_alignment import GlobalAlignment
from risbook.decoder.hierarchical_alignment import HierarchicalAlignment
from risbook.decoder.projector import Projector
from risbook.decoder.sine_pos_embed import sine_pos_embed_1d, sine_pos_embed_2d
from risbook.intermediates import Intermediates
from risbook.layers.convolutions import CoordConv
from risbook.towers.features import TextFeatures

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
    ("kit", "scales"),
    [("etris/neck_ha_rn.npz", (1 / 2, 1, 2)), ("etris/neck_ha_vit.npz", (1, 1, 1))],
)
def test_parity_neck(kit: str, scales: tuple[float, ...]) -> None:
    file = Recording(kit, atol=STRICT)
    maps = [file[f"in.vis{number}"] for number in range(3)]
    width = file["out.eval"].shape[1]
    neck = HierarchicalAlignment(
        map_dims=tuple(feature_map.shape[1] for feature_map in maps),
        factors=scales,
        sentence_dim=file["in.state"].shape[1],
        dim=width,
    )
    take(neck, file)
    outputs = outputs_of(neck)
    intermediates = Intermediates()
    sentence = file["in.state"]
    text_features = TextFeatures(
        text_tokens=sentence[:, None],
        sentence_embedding=sentence,
        key_padding_mask=torch.zeros(len(sentence), 1, dtype=torch.bool),
    )
    file.compare("out.eval", neck(maps, text_features, intermediates=intermediates))
    for name in ("f3_proj", "f4_proj", "f5_proj", "aggr", "coordconv"):
        file.compare(f"mid.{name}", outputs[name])
    file.compare("mid.txt_proj", outputs["txt_proj"][None])
    for stage, released in ((1, "fusion3"), (2, "fusion4"), (3, "fusion5")):
        gated = intermediates[f"stages.{stage}"].flatten(2).permute(2, 0, 1)
        file.compare(f"mid.{released}", gated)
    neck.train()
    output = neck(maps, text_features)
    file.compare("out.train", output)
    (output * file["grad_probe.train"]).sum().backward()
    check_step(neck, file)
    # A single sentence vector: no gradient reaches query and key, up to rounding.
    grad = neck.fusion3.multihead_attn.in_proj_weight.grad
    assert grad is not None
    assert float(grad[:-width].abs().max()) < 1e-5 * float(grad[-width:].abs().max())
    file.assert_all_compared()


def test_parity_coordinates() -> None:
    file = Recording("etris/coordconv.npz", atol=STRICT)
    module = CoordConv(file["in.x"].shape[1], file["out.eval"].shape[1])
    take(module, file)
    inputs: list[Tensor] = []
    module.conv1.register_forward_pre_hook(lambda _, args: inputs.extend(args))
    file.compare("out.eval", module(file["in.x"]))
    file.compare("mid.with_coords", inputs[0])
    file.assert_all_compared()


def test_parity_decoder() -> None:
    file = Recording("etris/decoder_ga.npz", atol=STRICT)
    _, width, rows, columns = file["in.vis"].shape
    layers = len([name for name in file if name.startswith("mid.layer")])
    hidden = len(file["w.layers.0.ffn.0.weight"])
    decoder = GlobalAlignment(
        dim=width, num_layers=layers, num_heads=4, ffn_dim=hidden, dropout=0.0
    )
    take(decoder, file)
    intermediates = Intermediates()
    padding = file["in.pad_mask"]
    output = decoder(file["in.vis"], file["in.txt"], padding, intermediates=intermediates)
    file.compare("out", output.flatten(2))
    file.compare("out", decoder(file["in.vis"], file["in.txt"], padding).flatten(2))
    for number in range(layers):
        layer = intermediates[f"layers.{number + 1}"].flatten(2)
        file.compare(f"mid.layer{number}", layer.permute(2, 0, 1))
        # The released decoder can also be asked for all layers, each behind the last norm.
        normed = decoder.norm(layer.transpose(1, 2)).transpose(1, 2)
        file.compare(f"out.intermediate{number}", normed)
        assert not bool(intermediates[f"layers.{number + 1}.attn"].transpose(1, 3)[padding].any())
    table = sine_pos_embed_2d(rows, columns, width).transpose(0, 1)
    file.compare(f"mid.pos2d_{width}_{rows}_{columns}", table)
    length = file["in.txt"].shape[1]
    table = sine_pos_embed_1d(length, width).transpose(0, 1)
    file.compare(f"mid.pos1d_{width}_{length}", table)
    (output.flatten(2) * file["grad_probe"]).sum().backward()
    check_step(decoder, file)
    file.assert_all_compared()


def test_parity_sine_tables() -> None:
    file = Recording("etris/positional_encodings.npz", atol=STRICT)
    for name in file:  # the sizes stand in the names: width, then length or rows and columns
        sizes = [int(part) for part in name.split("_") if part.isdigit()]
        if name.startswith("pos1d_"):
            width, length = sizes
            file.compare(name, sine_pos_embed_1d(length, width).transpose(0, 1))
        elif not name.endswith("_token_index"):
            width, rows, columns = sizes
            table = sine_pos_embed_2d(rows, columns, width)
            if name.endswith("_first_row_and_col"):
                table = table[:, file[name.replace("first_row_and_col", "token_index")]]
            file.compare(name, table.transpose(0, 1))
    indices = [name for name in file if name.endswith("_token_index")]
    assert len(file.compared) >= 3
    file.assert_all_compared(*indices)


def test_parity_projector() -> None:
    file = Recording("etris/projector.npz", atol=STRICT)
    sentence_width, channels = file["in.word"].shape[1], file["in.x"].shape[1]
    projector = Projector(sentence_dim=sentence_width, dim=channels // 2)
    take(projector, file)
    outputs = outputs_of(projector)
    intermediates = Intermediates()
    file.compare("out.eval", projector(file["in.x"], file["in.word"], intermediates=intermediates))
    file.compare("mid.vis.eval", intermediates["pixels"])
    file.compare("mid.txt.eval", outputs["txt"])
    projector.train()
    output = projector(file["in.x"], file["in.word"])
    file.compare("out.train", output)
    (output * file["grad_probe.train"]).sum().backward()
    check_step(projector, file)
    file.assert_all_compared()
