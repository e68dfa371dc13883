"""LoRA through peft: which projections, how strong, and what is said where it cannot be."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from tiny_towers import DEPTH, KINDS, answers, make, same, tuned
from torch import nn

from risbook.adapters import apply_peft, merge_lora
from risbook.adapters.lora import add_lora
from risbook.decoder.hierarchical_alignment import SentenceGate
from risbook.errors import ArgumentError, RisbookError

PROJECTIONS = {
    "clip": {f"vit.blocks.{n}.attn.{name}" for n in range(DEPTH) for name in ("qkv", "proj")},
    "text": {
        f"text.encoder.layers.{n}.self_attn.{name}_proj"
        for n in range(DEPTH)
        for name in ("q", "k", "v", "out")
    },
    "resnet": {f"attention_pool.{name}_proj" for name in "qkvc"},
}
PROJECTIONS["dinov2"] = PROJECTIONS["clip"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_projection_of_the_attention_and_nothing_else(kind: str) -> None:
    tower = apply_peft(make(kind), "lora", r=2)
    assert set(tuned(tower)) == {
        f"{name}.lora_{side}.default.weight" for name in PROJECTIONS[kind] for side in "AB"
    }


@torch.no_grad()
@pytest.mark.parametrize(("alpha", "factor"), [(None, 1.0), (6.0, 3.0)])
def test_the_change_is_b_times_a(alpha: float | None, factor: float) -> None:
    tower: Any = apply_peft(make("clip"), "lora", r=2, lora_alpha=alpha)
    for parameter in tuned(tower).values():
        parameter.normal_(std=0.3)
    by_hand: Any = make("clip")
    for number in range(DEPTH):
        for name in ("qkv", "proj"):
            lora = getattr(tower.blocks[number].attn, name)
            change = lora.lora_B["default"].weight @ lora.lora_A["default"].weight
            getattr(by_hand.blocks[number].attn, name).weight += factor * change
    for output, expected in zip(answers(tower, "clip"), answers(by_hand, "clip"), strict=True):
        torch.testing.assert_close(output, expected, atol=1e-4, rtol=1e-4)
    assert not same(answers(make("clip"), "clip"), answers(tower, "clip"))


def test_what_else_was_to_learn_still_is() -> None:
    tower = make("dinov2").requires_grad_(False)
    tower.vit.norm.requires_grad_(True)
    add_lora(tower, r=1)
    assert {name for name in tuned(tower) if "lora" not in name} == {
        "vit.norm.weight",
        "vit.norm.bias",
    }


def test_modules_beside_lora_are_trained_whole() -> None:
    import timm

    vit = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=1, num_classes=3)
    apply_peft(vit, "lora", r=2, modules_to_save=["head"])
    whole = {name for name in tuned(vit) if "lora" not in name}
    assert whole == {"head.weight", "head.bias"}
    assert {name.split(".lora")[0] for name in set(tuned(vit)) - whole} == {
        "blocks.0.attn.qkv",
        "blocks.0.attn.proj",
    }
    # without attention, all linear layers get LoRA, but not the ones that are trained whole
    layers = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    assert set(tuned(apply_peft(layers, "lora", r=1, modules_to_save="1"))) == {
        "0.lora_A.default.weight",
        "0.lora_B.default.weight",
        "1.weight",
        "1.bias",
    }
    with pytest.raises(ArgumentError, match=r"^modules_to_save: Sequential has no module 'head'"):
        apply_peft(nn.Sequential(nn.Linear(4, 4)), "lora", modules_to_save=["head"])


def test_lora_twice_is_refused() -> None:
    tower = apply_peft(make("text"), "lora")
    with pytest.raises(ArgumentError, match=r"^this tower already has LoRA"):
        apply_peft(tower, "lora")


def test_lora_that_fails_leaves_the_tower_as_it_was() -> None:
    tower, before = make("clip"), make("clip")
    # peft wraps the first projection before it refuses the layer norm
    with pytest.raises(ArgumentError, match=r"LayerNorm.* is not supported"):
        apply_peft(tower, "lora", target_modules=["attn.qkv", "norm2"])
    assert list(tower.state_dict()) == list(before.state_dict())
    assert all(parameter.requires_grad for parameter in tower.parameters())
    assert set(tuned(apply_peft(tower, "lora", r=2))) == set(tuned(apply_peft(before, "lora", r=2)))


def test_without_peft_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(RisbookError, match=r'^LoRA needs the library peft .*pip install "peft>='):
        apply_peft(make("clip"), "lora")


def test_importing_the_methods_is_light() -> None:
    heavy = {"peft", "timm", "transformers"}
    code = f"import sys, risbook.adapters; print(*({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def make_encoder(*, norm_first: bool = False) -> nn.Module:
    layer = nn.TransformerEncoderLayer(
        16, 2, 32, batch_first=True, norm_first=norm_first, dropout=0.0
    )
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=not norm_first)


@pytest.mark.parametrize("targets", [None, ["self_attn"], ["linear1"]])
@pytest.mark.parametrize("norm_first", [False, True])
def test_pytorchs_attention_is_changed_and_merged(targets: Any, norm_first: bool) -> None:
    torch.manual_seed(0)
    encoder = make_encoder(norm_first=norm_first)
    tokens = torch.randn(2, 5, 16)
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    names = set(encoder.state_dict())
    with torch.no_grad():
        before = encoder.eval()(tokens)
    apply_peft(encoder, "lora", r=2, target_modules=targets)
    assert encoder(tokens).requires_grad
    torch.testing.assert_close(encoder(tokens), before)
    for parameter in tuned(encoder).values():
        nn.init.normal_(parameter, std=0.3)
    outputs = []
    for training in (True, False):
        with torch.set_grad_enabled(training):
            encoder.train(training)
            outputs.append(encoder(tokens))
    torch.testing.assert_close(*outputs, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(outputs[0], before, atol=1e-2)
    with torch.no_grad():
        padded = encoder(tokens, src_key_padding_mask=padding)
        merge_lora(encoder)
        torch.testing.assert_close(encoder(tokens), outputs[0].detach(), atol=1e-4, rtol=1e-4)
        again = encoder(tokens, src_key_padding_mask=padding)
    torch.testing.assert_close(again[~padding], padded[~padding], atol=1e-4, rtol=1e-4)
    assert set(encoder.state_dict()) == names


def test_a_layer_that_the_attention_does_not_call_is_refused() -> None:
    encoder = make_encoder()
    with pytest.raises(
        ArgumentError, match=r"no effect.*name the attention itself, 'layers.0.self"
    ):
        apply_peft(encoder, "lora", target_modules=["out_proj"])
    assert all("lora" not in name for name in encoder.state_dict())
    with pytest.raises(ArgumentError, match="contains none that LoRA can change"):
        apply_peft(nn.Sequential(SentenceGate(16)), "lora")


def test_a_merge_that_fails_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = apply_peft(make_encoder(), "lora", target_modules=["self_attn", "linear1"])
    for parameter in tuned(encoder).values():
        nn.init.normal_(parameter)
    modules = dict(encoder.named_modules())
    state = {name: value.clone() for name, value in encoder.state_dict().items()}

    def fail() -> None:
        raise ValueError("no merge")

    layer: Any = encoder.get_submodule("layers.1.linear1")
    monkeypatch.setattr(layer, "merge", fail)
    with pytest.raises(ValueError, match="no merge"):
        merge_lora(encoder)
    assert dict(encoder.named_modules()) == modules
    assert same(encoder.state_dict().values(), state.values())
    monkeypatch.undo()
    tokens = torch.randn(2, 5, 16)
    with torch.no_grad():
        expected = encoder(tokens)
        torch.testing.assert_close(merge_lora(encoder)(tokens), expected, atol=1e-4, rtol=1e-4)
