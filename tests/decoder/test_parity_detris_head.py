"""The mask head equals that of the released DETRIS; it is ETRIS' with a residual in the neck."""

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


def load_recorded(module: nn.Module, file: Recording) -> None:
    module.load_state_dict(file.below("sd/"), strict=True)
    module.eval().requires_grad_(False)


def compare_statistics(module: nn.Module, file: Recording) -> None:
    """The batch norms' statistics after one step in training, where they were recorded."""
    state = module.state_dict()
    for name in file.below("after/"):
        file.compare(f"after/{name}", state[name])


def test_parity_neck() -> None:
    file = Recording("detris/neck_small.npz", atol=STRICT)
    maps = [file[f"in/v{number}"] for number in (3, 4, 5)]
    neck = HierarchicalAlignment(
        map_dims=[feature_map.shape[1] for feature_map in maps],
        factors=(1, 1, 1),
        sentence_dim=file["in/state"].shape[1],
        dim=file["out/eval"].shape[1],
        residual=True,
    )
    load_recorded(neck, file)
    sentence = file["in/state"]
    text_features = TextFeatures(
        text_tokens=sentence[:, None],
        sentence_embedding=sentence,
        key_padding_mask=torch.zeros(len(sentence), 1, dtype=torch.bool),
    )
    outputs, intermediates = outputs_of(neck), Intermediates()
    file.compare("out/eval", neck(maps, text_features, intermediates=intermediates))
    for stage in (1, 2, 3):  # the released names count the layers of a ResNet
        gated = intermediates[f"stages.{stage}"].flatten(2).permute(2, 0, 1)
        file.compare(f"out/eval_fusion{stage + 2}", gated)
    for name in ("aggr", "coordconv"):
        file.compare(f"out/eval_{name}", outputs[name])
    file.compare("out/train", neck.train()(maps, text_features))
    compare_statistics(neck, file)
    file.assert_all_compared()


def test_parity_coordinates() -> None:
    file = Recording("detris/coordconv_small.npz", atol=STRICT)
    module = CoordConv(file["in/x"].shape[1], file["out/eval"].shape[1])
    load_recorded(module, file)
    inputs: list[Tensor] = []
    module.conv1.register_forward_pre_hook(lambda _, args: inputs.extend(args))
    file.compare("out/eval", module(file["in/x"]))
    file.compare("out/with_coords", inputs[0])
    file.assert_all_compared()


def test_parity_decoder() -> None:
    file = Recording("detris/decoder_small.npz", atol=STRICT)
    decoder = GlobalAlignment(
        dim=file["in/vis_sq"].shape[1],
        num_layers=2,
        num_heads=4,
        ffn_dim=len(file["sd/layers.0.ffn.0.weight"]),
        dropout=0.0,  # as recorded
    )
    load_recorded(decoder, file)
    for shape in ("sq", "rect"):
        inputs = [file[f"in/{name}_{shape}"] for name in ("vis", "txt", "pad_mask")]
        file.compare(f"out/eval_{shape}", decoder(*inputs).flatten(2))
        if shape == "sq":
            file.compare("out/train_nodrop_sq", decoder.train()(*inputs).flatten(2))
            decoder.eval()
    file.assert_all_compared()


def test_parity_sine_tables() -> None:
    file = Recording("detris/decoder_pos_enc.npz", atol=STRICT)
    for rows, columns in ((8, 8), (6, 9)):
        table = sine_pos_embed_2d(rows, columns, 64).transpose(0, 1)
        file.compare(f"out/pos2d_64_{rows}_{columns}", table)
    file.compare("out/pos1d_64_17", sine_pos_embed_1d(17, 64).transpose(0, 1))
    file.assert_all_compared()


def test_parity_projector() -> None:
    file = Recording("detris/projector_small.npz", atol=STRICT)
    in_dim = file["in/x"].shape[1]
    projector = Projector(sentence_dim=file["in/state"].shape[1], dim=in_dim // 2)
    load_recorded(projector, file)
    intermediates = Intermediates()
    logits = projector(file["in/x"], file["in/state"], intermediates=intermediates)
    file.compare("out/eval", logits)
    file.compare("out/eval_vis", intermediates["pixels"])
    file.compare("out/train", projector.train()(file["in/x"], file["in/state"]))
    compare_statistics(projector, file)
    file.assert_all_compared()
