"""A new system is a file of adapters and a file of composition: a toy one in forty lines.

Its adapter stands inside the blocks of the frozen image tower and is conditioned by the text.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from risbook.adapters import BridgerConfig, apply_peft
from risbook.config import Size, configuration
from risbook.errors import ArgumentError, RisbookError
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.systems import (
    PEFTSystem,
    PEFTSystemConfig,
    SystemPreset,
    build_towers,
    load_system,
    register_system,
)
from risbook.systems.system_preset import NO_INPUTS, BuildInputs
from risbook.systems.system_presets import SYSTEMS
from risbook.towers.sites import Site
from risbook.towers.stages import StageContext
from risbook.training import TrainingConfig, train_system


@configuration
class ToyConfig(PEFTSystemConfig):
    """Sizes of the toy."""

    image_tower: str = "clip-mini-image"
    text_tower: str = "clip-mini-text"
    image_size: Size = 96
    max_tokens: Size = 24
    dim: Size = 8


class TextConditioned(nn.Module):
    """Adds to the MLP's output what the sentence makes of its input."""

    def __init__(self, image_dim: int, text_dim: int, dim: int) -> None:
        super().__init__()
        self.down = nn.Linear(image_dim, dim)
        self.gate = nn.Linear(text_dim, dim)
        self.up = nn.Linear(dim, image_dim)
        nn.init.zeros_(self.up.weight)

    def forward(self, site: Site) -> Tensor:
        assert site.context is not None
        sentence: Tensor = self.gate(site.context.text_tokens)  # (B, 1, dim)
        return site.scale(site.out + self.up(self.down(site.normed) * sentence))


class Toy(PEFTSystem):
    """Adapters in the last two blocks, and a linear layer over the patches as a decoder."""

    builds_adapters = True

    def __init__(self, image_tower: Any, text_tower: Any, decoder: nn.Module, **parts: Any) -> None:
        super().__init__(image_tower, text_tower, **parts)
        self.decoder = decoder

    def forward(
        self, images: Tensor, token_ids: Tensor, *, intermediates: Intermediates = NO_INTERMEDIATES
    ) -> Tensor:
        sentence_embedding = self.text_tower(token_ids).sentence_embedding
        context = StageContext(text_tokens=sentence_embedding[:, None])  # one token
        logits: Tensor = self.decoder(self.image_tower(images, context=context).maps[-1])
        return logits


def build_toy(config: ToyConfig, inputs: BuildInputs = NO_INPUTS) -> Toy:
    towers = build_towers(config, inputs)
    for block in (10, 11):
        towers.image.add_adapter(block, "mlp", TextConditioned(128, 128, config.dim))
    decoder = nn.Conv2d(128, 1, 1)
    return Toy(towers.image, towers.text, decoder, config=config, tokenizer=towers.tokenizer)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, mini_towers: Path) -> ToyConfig:
    config = ToyConfig(weights=str(mini_towers))
    monkeypatch.setitem(SYSTEMS, "toy", None)  # so that it is gone after the test
    register_system("toy", SystemPreset("a toy", config, build_toy))
    return config


def answer(system: Any) -> Tensor:
    image = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits: Tensor = system.eval()(image, system.tokenizer(["left dog", "the red mug"]))
    return logits


@pytest.mark.filterwarnings("ignore::risbook.tokenizers.word_tokenizer.UnknownWordWarning")
def test_a_toy_system_is_trained_saved_and_loaded(toy: ToyConfig, tmp_path: Path) -> None:
    config = TrainingConfig(
        system="toy",
        data=("refscenes-sample",),
        steps=4,
        batch_size=8,
        learning_rate=1e-2,
        warmup=1,
        precision="no",
    )
    trained = train_system(config, tmp_path / "run", show_progress=False)
    again = load_system(tmp_path / "run")
    assert torch.equal(answer(again), answer(trained))
    names = set(trained.saved_state())
    assert names == {
        *(f"image_tower.adapters.{block}_mlp.{layer}.{leaf}" for block in (10, 11)
          for layer in ("down", "gate", "up") for leaf in ("weight", "bias")),
        "decoder.weight",
        "decoder.bias",
    }  # fmt: skip
    untrained = build_toy(toy)
    assert not torch.allclose(answer(untrained), answer(trained))


def test_the_text_reaches_the_adapter(toy: ToyConfig) -> None:
    torch.manual_seed(0)
    system = build_toy(toy)
    image = torch.randn(1, 3, 96, 96).expand(2, -1, -1, -1)
    token_ids = system.tokenizer(["left dog", "the red mug"])
    first, second = system.eval()(image, token_ids)
    torch.testing.assert_close(first, second)  # up starts at zero
    for block in (10, 11):
        nn.init.normal_(system.image_tower.adapters[f"{block}_mlp"].up.weight)
    first, second = system(image, token_ids)
    assert (first - second).abs().max() > 1e-3


@pytest.mark.parametrize("frozen", [False, True])
def test_an_adapter_that_is_added_late_is_saved(
    toy: ToyConfig, tmp_path: Path, frozen: bool
) -> None:
    """The trap of an earlier edition: what was added behind super().__init__ vanished if frozen."""
    system = build_toy(toy)
    late = TextConditioned(128, 128, 4)
    nn.init.normal_(late.up.weight)
    system.image_tower.add_adapter(3, "mlp", late)
    with torch.no_grad():  # and a weight of the file that was tuned by hand
        system.image_tower.blocks[0].norm1.weight.add_(0.5)
    if frozen:
        system.requires_grad_(False)
    saved = system.saved_state()
    late_names = {f"image_tower.adapters.3_mlp.{name}" for name in late.state_dict()}
    assert late_names <= set(saved)
    assert "image_tower.vit.blocks.0.norm1.weight" in saved
    assert "image_tower.vit.blocks.1.norm1.weight" not in saved

    fresh = build_toy(toy)
    fresh.image_tower.add_adapter(3, "mlp", TextConditioned(128, 128, 4))
    fresh.load_saved_state(saved)
    assert torch.equal(answer(fresh), answer(system))


def test_a_method_in_the_towers_of_a_new_system_is_saved(toy: ToyConfig, tmp_path: Path) -> None:
    system = apply_peft(build_toy(toy), "bitfit", tower="text")
    system.save_pretrained(tmp_path)
    again = load_system(tmp_path)
    assert again.config == system.config and again.config.text_peft.method == "bitfit"
    assert torch.equal(answer(again), answer(system))


def test_a_configuration_that_cannot_name_the_method_is_refused(toy: ToyConfig) -> None:
    system: Any = build_toy(toy)
    with pytest.raises(ArgumentError, match="derive it from PEFTSystemConfig"):
        system.config = BridgerConfig()


def test_other_parts_than_those_of_the_registered_system_are_refused(
    toy: ToyConfig, tmp_path: Path
) -> None:
    system = build_toy(toy)
    system.decoder = nn.Conv2d(128, 1, 3, padding=1)
    message = r"toy has parts that its configuration does not build: decoder\.weight is"
    with pytest.raises(RisbookError, match=message):
        system.save_pretrained(tmp_path / "run")
    assert not (tmp_path / "run").exists()
    system = build_toy(toy)
    system.image_tower.add_adapter(3, "mlp", TextConditioned(128, 128, 4))
    with pytest.raises(RisbookError, match=r"image_tower\.adapters\.3_mlp\.down\.weight is not"):
        system.save_pretrained(tmp_path / "run")


def test_adapters_that_the_class_does_not_declare_are_refused(
    toy: ToyConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Toy, "builds_adapters", False)
    with pytest.raises(RisbookError, match="set builds_adapters = True in the class Toy"):
        build_toy(toy).save_pretrained(tmp_path)
