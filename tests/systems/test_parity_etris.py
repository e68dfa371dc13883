"""ETRIS equals the released models: logits, intermediates, loss, gradients, statistics."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from official_etris import arrays, below, close, drawn, load, recorded_etris, small_etris
from torch import Tensor

from risbook.systems.etris import CONFIGS, ETRIS
from risbook.systems.rename_etris import rename_etris
from risbook.systems.system import NoTokenizer, target_at
from risbook.towers.presets import build_tower
from risbook.towers.text_transformer import TextTransformer

KITS = [("full_small_rn.npz", True), ("full_small_vit.npz", False)]


@pytest.mark.parametrize(("kit", "resnet"), KITS)
def test_parity_logits_and_intermediates(shared: Path, kit: str, resnet: bool) -> None:
    system, file = recorded_etris(shared, kit, resnet=resnet)
    record: dict[str, Tensor] = {}
    with torch.no_grad():
        logits = system(file["in.img"], file["in.word"], record=record)
        maps, words = system.bridge(file["in.img"], file["in.word"])
        text = system.text_tower.finish(words, file["in.word"])
    for number, one in enumerate(maps):
        close(one, file[f"mid.bridger.out_vis{number}"])
    close(text.words, file["mid.bridger.out_txt"])
    close(text.sentence, file["mid.bridger.out_state"])
    close(record["neck"], file["mid.neck"])
    close(record["decoder"].flatten(2), file["mid.decoder"])
    for stage in (1, 2, 3):
        met = record[f"met {stage}"].flatten(2).permute(2, 0, 1)
        close(met, file[f"mid.bridger.fusion_v.{stage - 1}"])
    close(logits, file["out.eval.logits"])


def test_parity_pictures_need_not_be_square(shared: Path) -> None:
    system, file = recorded_etris(shared, "full_small_rn.npz", resnet=True)
    with torch.no_grad():
        logits = system(file["in.img_nonsquare"], file["in.word"])
    close(logits, file["out.eval.logits_nonsquare"])


@pytest.mark.parametrize(("kit", "resnet"), KITS)
def test_parity_training_step(shared: Path, kit: str, resnet: bool) -> None:
    system, file = recorded_etris(shared, kit, resnet=resnet)
    system.train()
    logits = system(file["in.img"], file["in.word"])
    loss = system.loss(logits, file["in.mask"])
    loss.backward()
    close(logits, file["train.nodrop.logits"])
    close(target_at(file["in.mask"], logits.shape[-2:]), file["train.nodrop.mask"])
    close(loss, file["train.nodrop.loss"])
    gradients = rename_etris(_whole(file, "grad."), resnet=resnet)
    tuned = {name: value for name, value in system.named_parameters() if value.requires_grad}
    assert set(gradients) >= set(tuned)
    for name, value in tuned.items():
        assert value.grad is not None, name
        close(value.grad, gradients[name])
    moved = rename_etris(_whole(file, "train.buf."), resnet=resnet)
    state = system.state_dict()
    names = below(file, "train.buf.")
    assert names
    for name in _ours(names, file, resnet):
        close(state[name].float(), moved[name].float())


def _whole(file: dict[str, Any], prefix: str) -> dict[str, Tensor]:
    """Recorded entries of one kind, in a state dict that is whole (renaming asks for that)."""
    return below(file, "w.") | below(file, prefix)


def _ours(names: dict[str, Tensor], file: dict[str, Any], resnet: bool) -> set[str]:
    """Our names of some official entries."""
    marked = {
        key: torch.full_like(value, float("nan"))
        if key in names and value.is_floating_point()
        else value
        for key, value in below(file, "w.").items()
    }
    ours = rename_etris(marked, resnet=resnet)
    return {
        name for name, value in ours.items() if value.is_floating_point() and value.isnan().any()
    }


@pytest.mark.parametrize(("kit", "resnet"), KITS)
def test_parity_names_of_what_learns(shared: Path, kit: str, resnet: bool) -> None:
    system, file = recorded_etris(shared, kit, resnet=resnet)
    official = {str(name): torch.zeros(1) for name in file["trainable"]}
    marked = {
        key: torch.full_like(value, float("nan")) if key in official else value
        for key, value in below(file, "w.").items()
    }
    theirs = {
        name
        for name, value in rename_etris(marked, resnet=resnet).items()
        if value.is_floating_point() and value.isnan().all()
    }
    ours = {name for name, value in system.named_parameters() if value.requires_grad}
    assert ours == theirs


@pytest.mark.parametrize("count", [1, 2])
def test_parity_fewer_bridgers(shared: Path, count: int) -> None:
    whole = arrays(shared, "full_small_rn.npz")
    file = arrays(shared, f"bridger_rn_stages{count}.npz")
    system = small_etris(resnet=True, stages=tuple(range(4 - count, 4)))
    weights = {k: v for k, v in below(whole, "w.").items() if not k.startswith("bridger.")}
    load(system, weights | below(file, "w."), resnet=True)
    system.eval()
    with torch.no_grad():
        maps, _ = system.bridge(file["in.img"], file["in.word"])
        logits = system(file["in.img"], file["in.word"])
    for number, one in enumerate(maps):
        close(one, file[f"mid.bridger.out_vis{number}"])
    close(logits, file["out.eval.logits"])


@pytest.mark.parametrize(("kit", "resnet"), KITS)
def test_parity_padding_takes_part(shared: Path, kit: str, resnet: bool) -> None:
    system, _ = recorded_etris(shared, kit, resnet=resnet)
    images = arrays(shared, kit)["in.img"]
    file = arrays(shared, kit.replace("full_small", "padding_dependence"))
    with torch.no_grad():
        longer = system(images, file["in.word_len10"])
        shorter = system(images, file["in.word_len10"][:, :7])
    close(longer, file["out.eval.logits_len10"])
    close(shorter, file["out.eval.logits_len7"])
    assert (longer - shorter).abs().max() > 1e-2


@pytest.mark.parametrize(
    ("kit", "name"),
    [
        ("fullsize_rn50.npz", "etris-rn50"),
        ("fullsize_rn101.npz", "etris-rn101"),
        ("fullsize_vitb16.npz", "etris-vitb16"),
    ],
)
def test_parity_at_full_size(shared: Path, kit: str, name: str) -> None:
    file = arrays(shared, kit)
    config = CONFIGS[name]
    table = 26 if "vit" in name else None
    image = build_tower(config.image_tower, weights="random", table=table)
    text = build_tower(config.text_tower, weights="random")
    assert not isinstance(image, TextTransformer) and isinstance(text, TextTransformer)
    system = ETRIS(
        config=config, name=name, towers=(image, text), tokenizer=NoTokenizer(config.word_length)
    )
    state = {}
    for key, shape, first in zip(
        file["manifest.names"],
        file["manifest.shapes"],
        file["manifest.checksum_first3"],
        strict=True,
    ):
        sides = () if str(shape) == "scalar" else tuple(int(side) for side in str(shape).split("x"))
        value = drawn(str(key), sides)
        start = value.flatten()[:3].float()
        close(start, first[: len(start)], 1e-6)
        state[str(key)] = value
    ours = rename_etris(state, resnet="rn" in name)
    assert set(ours) == set(system.state_dict())
    system.load_state_dict(ours, strict=True)
    system.eval()
    generator = np.random.RandomState(11)
    pictures = torch.from_numpy(generator.standard_normal((1, 3, 416, 416)).astype(np.float32))
    record: dict[str, Tensor] = {}
    with torch.no_grad():
        logits = system(pictures, file["in.word"], record=record)
        maps, words = system.bridge(pictures, file["in.word"])
        finished = system.text_tower.finish(words, file["in.word"])
    for number, one in enumerate(maps):
        close(one[:, ::16, ::6, ::6], file[f"mid.bridger_vis{number}_sub"], 2e-4)
        mean, deviation = file[f"mid.bridger_vis{number}_mean_std"]
        close(one.mean(), mean)
        assert abs(float(one.std() - deviation)) < 1e-3 * float(deviation)
    close(finished.words[..., ::8], file["mid.bridger_txt_sub"])
    close(finished.sentence, file["mid.state"])
    close(record["neck"][:, ::8, ::3, ::3], file["mid.neck_sub"])
    close(record["decoder"].flatten(2)[:, ::8, ::7], file["mid.decoder_sub"])
    close(logits, file["out.eval.logits"])
