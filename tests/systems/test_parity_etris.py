"""ETRIS equals the released models: logits, intermediates, loss, gradients, statistics."""

import numpy as np
import pytest
import torch
from official_etris import (
    build_recorded,
    load,
    random_weight,
    recorded_etris,
    watched,
)
from parity import Recording
from released_files import official_state

from risbook.intermediates import Intermediates
from risbook.systems.etris import build_etris
from risbook.systems.etris.rename_etris import rename_etris
from risbook.systems.losses import resize_target
from risbook.systems.system_preset import BuildInputs
from risbook.systems.system_presets import build_meta_system, system_config
from risbook.tokenizers.interface import ShapeOnlyTokenizer
from risbook.towers.build import build_tower
from risbook.towers.text_transformer import TextTransformer
from risbook.training.parameter_groups import group_parameters

KITS = [("etris/full_small_rn.npz", True), ("etris/full_small_vit.npz", False)]


@pytest.mark.parametrize(("kit", "resnet"), KITS)
def test_parity_logits_and_intermediates(kit: str, resnet: bool) -> None:
    system, file = recorded_etris(kit, resnet=resnet)
    intermediates = Intermediates()
    with torch.no_grad():
        logits = system(file["in.img"], file["in.word"], intermediates=intermediates)
        maps, words = system.bridge(file["in.img"], file["in.word"])
        text = system.text_tower.final_features(words, file["in.word"])
    for number, feature_map in enumerate(maps):
        file.compare(f"mid.bridger.out_vis{number}", feature_map)
    file.compare("mid.bridger.out_txt", text.text_tokens)
    file.compare("mid.bridger.out_state", text.sentence_embedding)
    file.compare("mid.neck", intermediates["neck"])
    file.compare("mid.decoder", intermediates["decoder"].flatten(2))
    for stage in (1, 2, 3):
        fused = intermediates[f"bridgers.{stage}.fused"].flatten(2).permute(2, 0, 1)
        file.compare(f"mid.bridger.fusion_v.{stage - 1}", fused)
    file.compare("out.eval.logits", logits)
    again, outputs = watched(system, file["in.img"], file["in.word"])
    file.compare("out.eval.logits", again)
    for name, output in outputs.items():
        file.compare(f"mid.{name}", output)
    elsewhere = ["out.eval.logits_nonsquare"] if resnet else []
    file.assert_all_compared("train.", "grad.", "trainable", *elsewhere)


def test_parity_pictures_need_not_be_square() -> None:
    system, file = recorded_etris("etris/full_small_rn.npz", resnet=True)
    with torch.no_grad():
        logits = system(file["in.img_nonsquare"], file["in.word"])
    file.compare("out.eval.logits_nonsquare", logits)


@pytest.mark.parametrize(("kit", "resnet"), KITS)
def test_parity_training_step(kit: str, resnet: bool) -> None:
    system, file = recorded_etris(kit, resnet=resnet)
    system.train()
    logits = system(file["in.img"], file["in.word"])
    loss = system.loss(logits, file["in.mask"])
    loss.backward()
    file.compare("train.nodrop.logits", logits)
    file.compare("train.nodrop.mask", resize_target(file["in.mask"], logits.shape[-2:]))
    file.compare("train.nodrop.loss", loss)
    state = official_state(system)
    for name in file.below("train.buf."):
        file.compare(f"train.buf.{name}", state[name])
    # Names are only known for weights: gradients take their place.
    for parameter in system.parameters():
        assert (parameter.grad is not None) == parameter.requires_grad
        parameter.data = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
    gradients = official_state(system)
    for name in file.below("grad."):
        file.compare(f"grad.{name}", gradients[name])
    file.assert_all_compared("out.", "mid.", "trainable")


@pytest.mark.parametrize(("kit", "resnet"), KITS)
def test_parity_names_of_what_learns(kit: str, resnet: bool) -> None:
    system, file = recorded_etris(kit, resnet=resnet)
    official = {str(name): torch.zeros(1) for name in file["trainable"]}
    marked = {
        key: torch.full_like(value, float("nan")) if key in official else value
        for key, value in file.below("w.").items()
    }
    theirs = {
        name
        for name, value in rename_etris(marked).items()
        if value.is_floating_point() and value.isnan().all()
    }
    ours = {name for name, value in system.named_parameters() if value.requires_grad}
    assert ours == theirs
    assert set(file.below("grad.")) == set(official)


@pytest.mark.parametrize(
    ("kit", "stages"),
    [("etris/bridger_rn_stages1.npz", (3,)), ("etris/bridger_rn_stages2.npz", (2, 3))],
)
def test_parity_fewer_bridgers(kit: str, stages: tuple[int, ...]) -> None:
    whole = Recording("etris/full_small_rn.npz")
    file = Recording(kit)
    system = build_recorded(whole, {"bridger.stages": stages})
    weights = {k: v for k, v in whole.below("w.").items() if not k.startswith("bridger.")}
    load(system, weights | file.below("w."), resnet=True)
    system.eval()
    with torch.no_grad():
        maps, words = system.bridge(file["in.img"], file["in.word"])
        text = system.text_tower.final_features(words, file["in.word"])
        logits = system(file["in.img"], file["in.word"])
    for number, feature_map in enumerate(maps):
        file.compare(f"mid.bridger.out_vis{number}", feature_map)
    file.compare("mid.bridger.out_txt", text.text_tokens)
    file.compare("mid.bridger.out_state", text.sentence_embedding)
    file.compare("out.eval.logits", logits)
    file.assert_all_compared()


@pytest.mark.parametrize(
    ("kit", "padded", "resnet"),
    [
        ("etris/full_small_rn.npz", "etris/padding_dependence_rn.npz", True),
        ("etris/full_small_vit.npz", "etris/padding_dependence_vit.npz", False),
    ],
)
def test_parity_padding_takes_part(kit: str, padded: str, resnet: bool) -> None:
    system, small = recorded_etris(kit, resnet=resnet)
    file = Recording(padded)
    with torch.no_grad():
        padded_tokens = next(value for name, value in file.items() if name.startswith("in.word"))
        names = [name for name in file if name.startswith("out.eval.logits_len")]
        lengths = sorted(int(name.removeprefix("out.eval.logits_len")) for name in names)
        logits = [system(small["in.img"], padded_tokens[:, :length]) for length in lengths]
    for length, result in zip(lengths, logits, strict=True):
        file.compare(f"out.eval.logits_len{length}", result)
    shorter, longer = logits
    assert (longer - shorter).abs().max() > 1e-2
    file.assert_all_compared()


FULL_SIZE = [
    ("etris/fullsize_rn50.npz", "etris-rn50"),
    ("etris/fullsize_rn101.npz", "etris-rn101"),
    ("etris/fullsize_vitb16.npz", "etris-vitb16"),
]


@pytest.mark.parametrize(("kit", "name"), FULL_SIZE)
def test_parity_groups_at_full_size(kit: str, name: str) -> None:
    """What learns at which rate: the Bridgers at their own, all else that learns at the other."""
    file = Recording(kit)
    kinds = ["fixed", "backbone_group", "head_group", "buffer"]
    marked = {
        key: torch.tensor(kinds.index(kind)).expand(shape)
        for (key, shape), kind in zip(file.shapes().items(), file["manifest.group"], strict=True)
    }
    theirs = {
        key: kinds[int(value[(0,) * value.ndim])] for key, value in rename_etris(marked).items()
    }
    system = build_meta_system(name)
    default, bridgers = group_parameters(system, {"bridgers": 10.0})
    group_of = {id(parameter): "head_group" for parameter in default["params"]}
    group_of |= {id(parameter): "backbone_group" for parameter in bridgers["params"]}
    ours = dict.fromkeys(system.state_dict(), "buffer")
    for key, value in system.named_parameters():
        ours[key] = group_of.get(id(value), "fixed")
    assert ours == theirs


@pytest.mark.parametrize(("kit", "name"), FULL_SIZE)
def test_parity_at_full_size(kit: str, name: str) -> None:
    file = Recording(kit)
    config = system_config(name)
    pos_grid = 26 if "vit" in name else None
    image = build_tower(config.image_tower, weights="random", pos_grid=pos_grid)
    text = build_tower(config.text_tower, weights="random")
    assert not isinstance(image, TextTransformer) and isinstance(text, TextTransformer)
    tokenizer = ShapeOnlyTokenizer(config.max_tokens)
    inputs = BuildInputs(image_tower=image, text_tower=text, tokenizer=tokenizer)
    system = build_etris(config, inputs)
    state = {}
    for (key, shape), first in zip(
        file.shapes().items(), file["manifest.checksum_first3"], strict=True
    ):
        state[key] = random_weight(key, shape)
        start = state[key].flatten()[:3].float()
        torch.testing.assert_close(start, first[: len(start)], atol=1e-6, rtol=1e-6)
    ours = rename_etris(state)
    assert set(ours) == set(system.state_dict())
    system.load_state_dict(ours, strict=True)
    system.eval()
    generator = np.random.RandomState(11)
    pictures = torch.from_numpy(generator.standard_normal((1, 3, 416, 416)).astype(np.float32))
    intermediates = Intermediates()
    with torch.no_grad():
        logits = system(pictures, file["in.word"], intermediates=intermediates)
        maps, words = system.bridge(pictures, file["in.word"])
        finished = system.text_tower.final_features(words, file["in.word"])
    for number, feature_map in enumerate(maps):
        file.compare(f"mid.bridger_vis{number}_sub", feature_map[:, ::16, ::6, ::6])
        mean_std = torch.stack([feature_map.mean(), feature_map.std()])
        file.compare(f"mid.bridger_vis{number}_mean_std", mean_std)
    file.compare("mid.bridger_txt_sub", finished.text_tokens[..., ::8])
    file.compare("mid.state", finished.sentence_embedding)
    file.compare("mid.neck_sub", intermediates["neck"][:, ::8, ::3, ::3])
    file.compare("mid.decoder_sub", intermediates["decoder"].flatten(2)[:, ::8, ::7])
    file.compare("out.eval.logits", logits)
    file.assert_all_compared("manifest.")
