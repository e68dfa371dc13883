"""A method of one's own in a tower is saved and loaded if it is registered, refused otherwise."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from risbook.adapters import PEFT_METHODS, PEFTMethod, apply_peft, register_peft_method
from risbook.adapters.bottleneck import Bottleneck
from risbook.adapters.placement import Placement, Serial
from risbook.errors import ArgumentError, RisbookError
from risbook.systems import System, build_system, load_system
from risbook.towers import StageContext, build_tower
from risbook.towers.sites import Site
from risbook.training import train


def add_gates(tower: Any, *, bottleneck_dim: int = 4) -> None:
    bottleneck = Bottleneck(embed_dim=tower.embed_dim, bottleneck_dim=bottleneck_dim)
    nn.init.normal_(bottleneck.up.weight)
    tower.add_adapter(0, "mlp", Serial(bottleneck))


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PEFT_METHODS, "gates", None)  # so that it is gone after the test
    method = PEFTMethod(summary="bottlenecks at one place", function=add_gates)
    register_peft_method("gates", method)


def answer(system: System) -> Tensor:
    image = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits: Tensor = system.eval()(image, ["left dog"])
    return logits


class TextGate(nn.Module):
    def __init__(self, embed_dim: int, text_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(text_dim, embed_dim)

    def forward(
        self, tokens: Tensor, text_tokens: Tensor, key_padding_mask: Tensor | None = None
    ) -> Tensor:
        weights = torch.ones(text_tokens.shape[:2])  # (B, L)
        if key_padding_mask is not None:
            weights = (~key_padding_mask).to(text_tokens.dtype)
        weights = weights / weights.sum(dim=1, keepdim=True)
        mean = (text_tokens * weights[:, :, None]).sum(dim=1)  # (B, L, T) to (B, T)
        gated: Tensor = tokens * self.linear(mean).sigmoid()[:, None]
        return gated


class Gated(Placement):
    def forward(self, site: Site) -> Tensor:
        if site.context is None:
            raise ArgumentError("the gate reads the text: call the tower with context=")
        tokens, context = site.scale(site.out), site.context
        gated: Tensor = self.adapter(tokens, context.text_tokens, context.key_padding_mask)
        return gated


def add_text_gates(tower: Any, *, text_dim: int) -> None:
    for block in range(len(tower.blocks)):
        tower.add_adapter(block, "mlp", Gated(TextGate(tower.embed_dim, text_dim)))


def test_a_method_that_reads_the_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(PEFT_METHODS, "text-gate", None)
    method = PEFTMethod(summary="a gate from the text", function=add_text_gates)
    register_peft_method("text-gate", method)
    tower = apply_peft(build_tower("dinov2-mini", weights="random"), "text-gate", text_dim=16)
    context = StageContext(text_tokens=torch.zeros(2, 5, 16))
    assert tower(torch.zeros(2, 3, 96, 96), context=context).maps[0].shape == (2, 128, 12, 12)
    with pytest.raises(ArgumentError, match="reads the text"):
        tower(torch.zeros(2, 3, 96, 96))
    # a system fills text_dim from its text tower
    system = build_system("etris-mini", overrides={"image_peft.method": "text-gate"})
    system.save_pretrained(tmp_path)
    assert torch.equal(answer(load_system(tmp_path)), answer(system))


@pytest.mark.parametrize("by_configuration", [True, False])
def test_a_registered_method_is_saved_and_loaded(
    registered: None, tmp_path: Path, by_configuration: bool
) -> None:
    options = {"image_peft.method": "gates", "image_peft.options": {"bottleneck_dim": 3}}
    if by_configuration:
        system = build_system("etris-mini", overrides=options)
    else:
        system = apply_peft(load_system("etris-mini"), "gates", tower="image", bottleneck_dim=3)
    assert system.config.image_peft.method == "gates"
    system.save_pretrained(tmp_path)
    again = load_system(tmp_path)
    assert again.config == system.config
    assert torch.equal(answer(again), answer(system))


def test_adapters_of_no_method_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    system: Any = load_system("etris-mini")
    add_gates(system.image_tower)
    message = r"image tower of etris-mini has adapters\.0_mlp\.adapter\.down\.weight, which a check"
    with pytest.raises(RisbookError, match=message):
        system.save_pretrained(tmp_path / "run")
    with pytest.raises(RisbookError, match=message):  # before the first step, not after the last
        train(system, "refscenes-sample", steps=2, out=tmp_path / "run", show_progress=False)
    assert not (tmp_path / "run").exists()
    system = load_system("etris-mini")
    system.text_tower.add_prompts(2)
    with pytest.raises(RisbookError, match="the text tower of etris-mini has prompts, which a ch"):
        system.save_pretrained(tmp_path / "run")
    # a method that comes later does not name what was there before
    apply_peft(system, "houlsby", tower="text")
    with pytest.raises(RisbookError, match="the text tower of etris-mini has prompts, which a ch"):
        system.save_pretrained(tmp_path / "run")


def test_a_system_fills_the_sizes_of_the_other_modality(monkeypatch: pytest.MonkeyPatch) -> None:
    dims: dict[str, Any] = {}

    def note_dims(tower: nn.Module, *, text_dim: int, image_dims: tuple[int, ...]) -> None:
        dims.update(text_dim=text_dim, image_dims=image_dims)

    monkeypatch.setitem(PEFT_METHODS, "note", PEFTMethod(summary="sizes", function=note_dims))
    system = build_system("etris-mini", overrides={"image_peft.method": "note"})
    assert dims == {"text_dim": 128, "image_dims": (128, 128, 128)}
    tower = build_tower("clip-mini-rn-image", weights="random")
    state, entering = tower.begin_stages(torch.zeros(1, 3, 64, 64)), []
    for stage in (1, 2, 3):
        entering.append(tower.stage_map(state).shape[1])
        state = tower.run_stage(stage, state)
    assert tuple(entering) == tower.stage_in_dims
    assert system.config is system.config and system.config.image_peft.options == {}
    with pytest.raises(RisbookError, match="needs a value for its option text_dim"):
        apply_peft(load_system("etris-mini").text_tower, "note")
    apply_peft(load_system("etris-mini"), "note", tower="text", text_dim=3)
    assert dims["text_dim"] == 3
