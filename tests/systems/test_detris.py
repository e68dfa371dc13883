"""DETRIS beside its parity: what is tuned and saved, ablations, other towers."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import risbook
from risbook.errors import RisbookError
from risbook.intermediates import Intermediates
from risbook.systems import DETRIS, build_system, load_system
from risbook.towers.info import weights_status
from risbook.training import train


def answer(system: Any, *, height: int | None = None) -> Tensor:
    side = system.image_size
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(1, 3, height or side, side, generator=generator)
    tokens = system.tokenizer(["the left dog"])
    with torch.no_grad():
        logits: Tensor = system.eval().forward(images, tokens)
    return logits


@pytest.fixture(scope="module")
def mini() -> DETRIS:
    torch.manual_seed(0)
    system = build_system("detris-mini")
    assert isinstance(system, DETRIS)
    return system


def test_gradients_reach_what_is_tuned_alone(mini: DETRIS) -> None:
    mini.train()
    tokens = mini.tokenizer(["left dog", "the red mug on the right"])
    mini.forward(torch.randn(2, 3, 96, 96), tokens).pow(2).mean().backward()
    mini.eval()
    parts = (".adapters.", "head.")
    for name, parameter in mini.named_parameters():
        is_tuned = any(part in name for part in parts)
        assert parameter.requires_grad == (parameter.grad is not None) == is_tuned, name
        parameter.grad = None
    groups = mini.parameter_groups()
    tuned = {name for name, value in mini.named_parameters() if value.requires_grad}
    in_group = {id(value) for value in groups["adapters"]}
    adapters = {name for name, value in mini.named_parameters() if id(value) in in_group}
    assert adapters == {name for name in tuned if ".adapters." in name}


def test_a_checkpoint_holds_what_is_tuned(mini: DETRIS, tmp_path: Path) -> None:
    mini.save_pretrained(tmp_path)
    saved = set(mini.saved_state())
    unused = {"logit_scale", "mask_token", "class_pos_embed"}
    assert unused < saved
    assert all(name.startswith("head.") or ".adapters." in name for name in saved - unused)
    again = load_system(tmp_path)
    assert again.config == mini.config and answer(again).equal(answer(mini))


def test_parts_of_the_mask_head_are_found(mini: DETRIS) -> None:
    with pytest.raises(AttributeError, match=r"try model\.head\.decoder$"):
        _ = mini.decoder


def test_what_the_dense_aligners_record(mini: DETRIS) -> None:
    tokens = mini.tokenizer(["the left dog"])
    intermediates = Intermediates()
    with torch.no_grad():
        mini.eval()(torch.zeros(1, 3, 96, 96), tokens, intermediates=intermediates)
    attn = intermediates["image_tower.adapters.1_mlp.attn"]
    assert attn.shape == (1, 4, 12 * 12, 24) and attn.sum(dim=-1).allclose(torch.ones(()))
    recorded = {name for name in intermediates if name.endswith(".query")}
    assert recorded == {f"image_tower.adapters.{block}_mlp.query" for block in range(1, 12, 2)}


def test_images_that_are_not_square(mini: DETRIS) -> None:
    assert answer(mini, height=64).shape == (1, 1, 32, 48)


@pytest.mark.parametrize(
    ("overrides", "image_adapters", "text_adapters"),
    [
        ({"aligner": None}, 0, 6),
        ({"text_adapter": None}, 6, 0),
        ({"aligner.blocks": [10, 11], "text_adapter.blocks": []}, 2, 0),
        ({"aligner": None, "text_adapter": None, "image_peft.method": "houlsby"}, 24, 0),
    ],
)
def test_ablations(overrides: dict[str, Any], image_adapters: int, text_adapters: int) -> None:
    system: Any = build_system("detris-mini", overrides=overrides)
    assert len(system.image_tower.adapters) == image_adapters
    assert len(system.text_tower.adapters) == text_adapters
    assert answer(system).shape == (1, 1, 48, 48)


def test_towers_without_blocks_or_with_fewer() -> None:
    with pytest.raises(
        RisbookError, match=r"CLIPResNet has no transformer .*aligner.blocks to \[\]"
    ):
        build_system("detris-mini", overrides={"image_tower": "clip-mini-rn-image"})
    with pytest.raises(RisbookError, match="no block 12 to add an adapter to"):
        build_system("detris-mini", overrides={"aligner.blocks": [12]})
    system: Any = build_system("detris-mini", overrides={"image_tower": "clip-mini-image"})
    assert "mask_token" not in system.state_dict() and answer(system).shape == (1, 1, 48, 48)


def test_it_trains(tmp_path: Path) -> None:
    torch.manual_seed(0)
    system: Any = build_system("detris-mini")
    before = {name: value.clone() for name, value in system.state_dict().items()}
    train(
        system,
        "refscenes-sample",
        steps=2,
        batch_size=2,
        cache_frozen=True,
        out=tmp_path,
        show_progress=False,
    )
    for name, value in system.named_parameters():
        assert value.requires_grad or value.equal(before[name]), name
    for tower in ("image_tower", "text_tower"):
        name = f"{tower}.adapters.1_mlp.adapter.up.weight"
        assert not system.state_dict()[name].equal(before[name])
        name = f"{tower}.adapters.1_mlp.adapter.dmoc.branches.0.bn.running_mean"
        assert not system.state_dict()[name].equal(before[name])


def test_padding_can_be_masked_in_the_dense_aligners() -> None:
    """Without Text Adapters, the image features then do not depend on the padding."""
    distances = {}
    for is_masked in (True, False):
        torch.manual_seed(0)
        overrides = {"aligner.mask_padding": is_masked, "text_adapter": None, "weights": "random"}
        system: Any = build_system("detris-mini", overrides=overrides)
        for name, parameter in system.named_parameters():
            if ".adapters." in name and parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.3)
            elif name.endswith("ls2.gamma"):  # LayerScale starts near zero
                torch.nn.init.ones_(parameter)
        system.double()  # large weights amplify rounding
        tokens = system.tokenizer(["the left dog"])
        images = torch.randn(1, 3, 96, 96, dtype=torch.float64)
        length = int((tokens != 0).sum())
        with torch.no_grad():
            padded = system.encode(images, tokens)[0].maps[-1]
            short = system.encode(images, tokens[:, :length])[0].maps[-1]
        distances[is_masked] = float((padded - short).abs().max() / padded.abs().max())
    assert distances[True] < 1e-6 and distances[False] > 1e-2, distances


def test_the_shipped_one_answers_two_sentences() -> None:
    """`refscenes-sample` has unseen scenes; its largest objects reach an mIoU of 0.2."""
    if weights_status("dinov2-s") not in ("in the cache", "RISBOOK_WEIGHTS"):
        pytest.skip("needs the weights of dinov2-s: run `risbook towers get dinov2-s`")
    system = load_system("detris-s")
    assert system.weights_origins()["text_tower"]["source"] == "clip-mini-40k-text, shipped"
    scores = risbook.evaluate(system, "refscenes+-sample:val", limit=40, show_progress=False)
    assert scores["mIoU"] > 0.5
