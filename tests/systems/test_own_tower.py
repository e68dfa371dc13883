"""A tower of one's own is registered, named by a configuration, tuned, saved and loaded."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from risbook.adapters import apply_peft
from risbook.config import configuration
from risbook.errors import ArgumentError
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.layers.pos_embed import Grid, resize_clip_pos_embed
from risbook.systems import (
    PEFTSystem,
    PEFTSystemConfig,
    build_system,
    build_towers,
    count_parameters,
    load_system,
)
from risbook.systems.etris import build_etris
from risbook.systems.system_preset import BuildInputs
from risbook.systems.system_presets import system_config
from risbook.systems.system_towers import build_image_tower
from risbook.towers import (
    TOWERS,
    TowerFamily,
    TowerPreset,
    build_tower,
    list_towers,
    register_tower,
)
from risbook.towers.build import save_tower
from risbook.towers.families import FAMILIES, register_tower_family
from risbook.towers.info import tower_info
from risbook.towers.stages import StageContext, StagedImageTower
from risbook.towers.text_transformer import TextTransformer


class PatchTower(StagedImageTower):
    """Four convolutions: patches of 4 pixels, and a stage for each of the strides 8, 16, 32."""

    architecture = "resnet"
    lora_targets = r"stages\.\d+"
    strides = (8, 16, 32)
    image_step = 32

    def __init__(self, *, width: int, pos_grid: int) -> None:
        super().__init__()
        self.width = width
        self.pos_grid = pos_grid
        self.stem = nn.Conv2d(3, width, 4, stride=4)
        self.positions = nn.Parameter(torch.zeros(1 + pos_grid**2, width))
        self.stages = nn.ModuleList(nn.Conv2d(width, width, 2, stride=2) for _ in self.strides)

    @property
    def output_dim(self) -> int:
        return self.width

    @property
    def pos_embed(self) -> nn.Parameter:
        return self.positions

    @property
    def stage_dims(self) -> tuple[int, ...]:
        return (self.width,) * len(self.strides)

    def resize_pos_embed(self, pos_embed: Tensor, grid: Grid) -> Tensor:
        return resize_clip_pos_embed(pos_embed[None], grid)[0]

    def begin_stages(
        self, inputs: Tensor, *, intermediates: Intermediates = NO_INTERMEDIATES
    ) -> Tensor:
        state: Tensor = self.stem(inputs)
        return state

    def run_stage(
        self,
        stage: int,
        state: Tensor,
        *,
        context: StageContext | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        state = self.stages[stage - 1](state).relu()
        intermediates.sub("stages")[str(stage)] = state
        return state

    def set_stages(self, out_indices: Any = None) -> None:
        assert not out_indices

    def stage_map(self, state: Tensor) -> Tensor:
        return state

    def with_stage_map(self, state: Tensor, feature_map: Tensor) -> Tensor:
        return feature_map

    def final_map(
        self,
        state: Tensor,
        *,
        context: StageContext | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        return state + self.pos_embed[0, :, None, None]

    def pooled(self, images: Tensor) -> Tensor:
        return self(images).maps[-1].mean(dim=(2, 3))


class ShortTextTower(TextTransformer):
    """A text tower whose sizes are in its class, and not in its preset."""

    def __init__(self) -> None:
        super().__init__(
            vocab_size=20, context_length=5, embed_dim=16, depth=3, num_heads=2, output_dim=8
        )


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setitem(FAMILIES, "patches", None)  # so that both are gone after the test
    monkeypatch.setitem(TOWERS, "patch-tower", None)
    folder = tmp_path / "patch-tower"
    register_tower_family("patches", TowerFamily(PatchTower, {"pos_grid": 3}))
    register_tower("patch-tower", TowerPreset("patches", {"width": 16}, folder=folder))
    tower = build_tower("patch-tower", weights="random")
    save_tower(tower, folder, name="patch-tower", source="a test")
    return folder


def answer(system: Any) -> Tensor:
    image = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits: Tensor = system.eval()(image, ["left dog"])
    return logits


def test_the_base_class_runs_the_stages(registered: Path) -> None:
    tower: Any = build_tower("patch-tower")
    intermediates = Intermediates()
    features = tower(torch.zeros(2, 3, 64, 96), intermediates=intermediates)
    assert [tuple(values.shape) for values in features.maps] == [
        (2, 16, 8, 12),
        (2, 16, 4, 6),
        (2, 16, 2, 3),
    ]
    assert features.strides == (8, 16, 32)
    assert list(intermediates) == ["stages.1", "stages.2", "stages.3"]


class NormTower(PatchTower):
    """A tower with a batch norm."""

    def __init__(self, *, width: int, pos_grid: int) -> None:
        super().__init__(width=width, pos_grid=pos_grid)
        self.stem = nn.Sequential(self.stem, nn.BatchNorm2d(width))
        self.adapters = nn.ModuleDict({"0": nn.BatchNorm2d(width)})


def test_norm_eval_holds_the_batch_norms_of_any_tower() -> None:
    tower = NormTower(width=16, pos_grid=3)
    tower.norm_eval = True
    assert not tower.train().stem[1].training and tower.adapters["0"].training
    assert tower.stem.training and not tower.eval().adapters["0"].training


@pytest.mark.parametrize("norm_eval", [True, False])
def test_the_configuration_sets_norm_eval_of_a_given_tower(norm_eval: bool) -> None:
    tower = NormTower(width=128, pos_grid=3)
    config = system_config("etris-mini", {"norm_eval": norm_eval})
    system = build_etris(config, BuildInputs(image_tower=tower))
    assert tower.norm_eval is norm_eval and system.train() is system
    assert tower.stem[1].training is not norm_eval


def test_a_configuration_names_the_tower(registered: Path, tmp_path: Path) -> None:
    overrides = {"image_tower": "patch-tower"}
    system: Any = build_etris(system_config("etris-mini", overrides))
    assert answer(system).shape == (1, 1, 24, 24)
    system = apply_peft(build_system("etris-mini", overrides=overrides), "lora", tower="image", r=2)
    names = [name for name, value in system.named_parameters() if value.requires_grad]
    assert sum("stages.1.lora_A" in name for name in names) == 1
    system.save_pretrained(tmp_path / "run")
    assert answer(load_system(tmp_path / "run")).equal(answer(system))


def test_facts_about_the_tower(registered: Path) -> None:
    info = tower_info("patch-tower")
    assert info.default_input == (3, 96, 96) and info.family == "patches"
    assert info.weights == "in its folder" and info.source == str(registered)
    assert list_towers()["patch-tower"] == f"image tower, weights: {registered}"


def test_facts_about_a_text_tower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, "short-text", None)  # so that both are gone after the test
    monkeypatch.setitem(TOWERS, "short-text", None)
    register_tower_family("short-text", TowerFamily(ShortTextTower))
    register_tower("short-text", TowerPreset("short-text", {}))
    info = tower_info("short-text")
    assert info.default_input == (5,) and info.features["text tokens"] == (5, 16)


def test_the_family_has_to_be_registered() -> None:
    with pytest.raises(ArgumentError, match="no family is called 'unknown'; there are: clip-vit, "):
        register_tower("patch-tower", TowerPreset("unknown", {}))
    assert "patch-tower" not in TOWERS


class RelativeTower(PatchTower):
    """A tower without absolute position embeddings."""

    @property
    def pos_embed(self) -> None:  # type: ignore[override]
        return None

    def final_map(self, state: Tensor, **options: Any) -> Tensor:
        return state


def test_a_tower_needs_no_position_embeddings(registered: Path) -> None:
    register_tower_family("patches", TowerFamily(RelativeTower, {"pos_grid": 3}))
    system: Any = build_system("etris-mini", image_tower="patch-tower", weights="random")
    assert not any("image position" in part.name for part in count_parameters(system).parts)
    assert isinstance(build_tower("patch-tower"), RelativeTower)


class TwoStageTower(PatchTower):
    """A tower with fewer stages than a system has."""

    strides = (8, 16)  # type: ignore[assignment]
    image_step = 16


def test_a_system_requires_three_stages(registered: Path) -> None:
    tower = TwoStageTower(width=16, pos_grid=6)
    assert tower.num_stages == len(tower(torch.zeros(1, 3, 96, 96)).maps) == 2
    with pytest.raises(ArgumentError, match="TwoStageTower has 2 stages; a system needs 3"):
        build_etris(system_config("etris-mini"), BuildInputs(image_tower=tower))


@configuration
class TwoStageConfig(PEFTSystemConfig):
    """A system of two stages."""

    num_stages = 2


def test_a_configuration_says_how_many_stages_there_are() -> None:
    config = TwoStageConfig(
        image_tower="clip-mini-image",
        text_tower="clip-mini-text",
        image_size=96,
        max_tokens=24,
        image_out_indices=(5, 11),
        text_out_indices=(5, 11),
    )
    towers = build_towers(config)
    system = PEFTSystem(towers.image, towers.text, config=config, tokenizer=towers.tokenizer)
    stages: list[int] = []

    def between(stage: int, feature_map: Tensor, text_tokens: Tensor, *_: Any, **__: Any) -> Any:
        stages.append(stage)
        return feature_map, text_tokens, None

    maps, _ = system.run_towers(torch.zeros(1, 3, 96, 96), system.tokenizer(["left"]), between)
    assert stages == [1, 2] and len(maps) == 2


def test_a_grid_that_is_given_takes_the_place_of_the_one_for_the_size() -> None:
    tower = build_image_tower("clip-mini-image", weights="random", image_size=64, pos_grid=5)
    assert tower.pos_grid == 5


@pytest.mark.parametrize(
    ("out_indices", "factors"), [((11,), [1]), ((5, 11), [1, 1]), ((3, 7, 11), [1, 1, 1])]
)
def test_the_middle_map_of_any_number_of_stages(
    out_indices: tuple[int, ...], factors: list[float]
) -> None:
    config = PEFTSystemConfig(
        image_tower="clip-mini-image", text_tower="clip-mini-text", image_size=96, max_tokens=24
    )
    towers = build_towers(config)
    towers.image.set_stages(out_indices)
    assert towers.factors == factors
