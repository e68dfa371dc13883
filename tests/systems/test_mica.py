"""MiCA beside its parity: what is tuned and saved, ablations, repairs, other towers."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from risbook.errors import RisbookError
from risbook.intermediates import Intermediates
from risbook.systems import MiCA, build_system, load_system

ADAPTERS = ("glia", "caa", "text_glia", "text_caa")


def answer(system: Any) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(1, 3, system.image_size, system.image_size, generator=generator)
    with torch.no_grad():
        logits: Tensor = system.eval().forward(images, system.tokenizer(["the left dog"]))
    return logits


@pytest.fixture(scope="module")
def mini() -> MiCA:
    torch.manual_seed(0)
    system = build_system("mica-mini")
    assert isinstance(system, MiCA)
    return system


def test_gradients_reach_what_is_tuned_alone(mini: MiCA) -> None:
    mini.train()
    tokens = mini.tokenizer(["left dog", "the red mug on the right"])
    logits = mini.forward(torch.randn(2, 3, 96, 96), tokens)
    mini.loss(logits, torch.rand(2, 1, 96, 96)).backward()
    mini.eval()
    for name, parameter in mini.named_parameters():
        is_tuned = ".adapters." in name or name.startswith("head.")
        assert parameter.requires_grad == (parameter.grad is not None) == is_tuned, name
        parameter.grad = None
    sites = {"1_attention", "5_attention", "9_attention", "3_mlp", "7_mlp", "11_mlp"}
    for tower in mini.towers.values():
        assert set(tower.get_submodule("adapters").state_dict()) and sites == {
            name for name, _ in tower.get_submodule("adapters").named_children()
        }


def test_a_checkpoint_holds_what_is_tuned(mini: MiCA, tmp_path: Path) -> None:
    mini.save_pretrained(tmp_path)
    again = load_system(tmp_path)
    assert again.config == mini.config and answer(again).equal(answer(mini))


def test_what_the_adapters_record(mini: MiCA) -> None:
    tokens = mini.tokenizer(["the left dog"])
    intermediates = Intermediates()
    with torch.no_grad():
        logits = mini.eval()(torch.zeros(1, 3, 96, 96), tokens, intermediates=intermediates)
    attn = intermediates["image_tower.adapters.3_mlp.attn"]
    assert attn.shape == (1, 4, 12 * 12, 24 - 1) and attn.sum(dim=-1).allclose(torch.ones(()))
    assert intermediates["image_tower.adapters.1_attention.global"].shape == (1, 5 + 12 * 12, 32)
    assert intermediates["text_tower.adapters.5_attention.attn"].shape == (1, 4, 24, 24)
    assert intermediates["text_tower.adapters.3_mlp.local"].shape == (1, 24, 32)
    assert logits.isfinite().all()


def test_towers_without_blocks() -> None:
    with pytest.raises(RisbookError, match=r"CLIPResNet has no .* glia and caa; .* glia.blocks"):
        build_system("mica-mini", overrides={"image_tower": "clip-mini-rn-image"})


def test_with_zero_initialised_adapters_the_towers_start_unchanged(mini: MiCA) -> None:
    repaired: Any = build_system(
        "mica-mini",
        overrides={
            "glia.spatial_dims": 2,
            "caa.condition": "end",
            "caa.add_mixture": True,
            **{f"{name}.zero_init": True for name in ADAPTERS},
            **{f"{name}.mask_padding": True for name in ADAPTERS[1:]},
        },
    )
    plain: Any = build_system("mica-mini", overrides=dict.fromkeys(ADAPTERS))
    images, tokens = torch.randn(1, 3, 96, 96), mini.tokenizer(["the left dog"])
    with torch.no_grad():
        maps, texts = repaired.eval().encode(images, tokens)
        plain_maps, plain_texts = plain.eval().encode(images, tokens)
        changed_maps, _ = mini.encode(images, tokens)
    assert all(a.equal(b) for a, b in zip(maps.maps, plain_maps.maps, strict=True))
    assert texts.text_tokens.equal(plain_texts.text_tokens)
    assert not changed_maps.maps[-1].allclose(plain_maps.maps[-1], atol=1e-3)


def test_with_masked_padding_the_length_of_sentences_has_no_effect() -> None:
    distances = {}
    for is_masked in (True, False):
        torch.manual_seed(0)
        masks = {f"{name}.mask_padding": is_masked for name in ADAPTERS[1:]}
        system: Any = build_system("mica-mini", overrides={**masks, "weights": "random"})
        for name, parameter in system.named_parameters():
            if ".adapters." in name and parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.3)
            elif name.endswith("ls2.gamma"):  # LayerScale starts near zero
                torch.nn.init.ones_(parameter)
        system.double().eval()  # large weights amplify rounding
        tokens = system.tokenizer(["the left dog"])
        images = torch.randn(1, 3, 96, 96, dtype=torch.float64)
        length = int((tokens != 0).sum())
        with torch.no_grad():
            padded = system.encode(images, tokens)[0].maps[-1]
            short = system.encode(images, tokens[:, :length])[0].maps[-1]
        distances[is_masked] = float((padded - short).abs().max() / padded.abs().max())
    assert distances[True] < 1e-6 and distances[False] > 1e-2, distances
