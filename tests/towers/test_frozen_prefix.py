"""The cache of frozen blocks changes no result: what it gives equals what the blocks compute."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from risbook.adapters import apply_peft
from risbook.systems import build_system
from risbook.towers.build import build_tower
from risbook.towers.freezing import freeze
from risbook.towers.frozen_prefix import cache_frozen_prefix, count_frozen_blocks
from risbook.towers.image_transformer import ImageTransformer
from risbook.training import TrainingConfig, read_log, train_system

#: Values are up to 10, and a batch of one adds in another order than a batch of many.
TOLERANCE = 1e-4


@pytest.fixture
def tower() -> ImageTransformer:
    tower = build_tower("dinov2-mini")
    assert isinstance(tower, ImageTransformer)
    freeze(tower)
    return tower


def images(count: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 3, 48, 48, generator=torch.Generator().manual_seed(seed))


def test_which_blocks_are_frozen(tower: ImageTransformer) -> None:
    assert count_frozen_blocks(tower) == 12
    tower.vit.norm.weight.requires_grad_(True)  # it stands behind all blocks
    assert count_frozen_blocks(tower) == 12
    tower.vit.blocks[7].norm1.bias.requires_grad_(True)
    assert count_frozen_blocks(tower) == 7
    apply_peft(tower, "houlsby", bottleneck_dim=4)
    assert count_frozen_blocks(tower) == 0
    tower = freeze(build_tower("dinov2-mini"))
    tower.vit.pos_embed.requires_grad_(True)
    assert count_frozen_blocks(tower) == 0
    assert count_frozen_blocks(build_tower("dinov2-mini")) == 0
    tower = freeze(build_tower("dinov2-mini"))
    tower.add_prompts(2)
    assert count_frozen_blocks(tower) == 0


def test_the_cache_gives_what_the_blocks_compute(tower: ImageTransformer) -> None:
    batch = images()
    with torch.no_grad(), cache_frozen_prefix(tower) as cache:
        first = tower(batch).maps
        assert (cache.hits, cache.misses) == (0, 12)  # three stages of four images
        again = tower(batch.flip(0)).maps
        assert (cache.hits, cache.misses) == (12, 12)
        assert cache.num_bytes == 12 * (1 + 4 + 36) * 128 * 4
    assert tower.prefix_cache is None
    for stage, expected in enumerate(tower(batch).maps):
        assert torch.equal(again[stage].flip(0), first[stage])
        torch.testing.assert_close(first[stage], expected, atol=TOLERANCE, rtol=0)
    for index in range(len(batch)):  # an image by itself: bit for bit
        assert torch.equal(first[0][index], tower(batch[index : index + 1]).maps[0][0])


def test_two_towers_share_no_tokens() -> None:
    towers = nn.ModuleList(freeze(build_tower("dinov2-mini", weights="random")) for _ in range(2))
    with torch.no_grad(), cache_frozen_prefix(towers) as cache:
        cached = [tower(images(1)).maps[-1] for tower in towers]
        assert (cache.hits, cache.misses) == (0, 6)
    for tower, output in zip(towers, cached, strict=True):
        assert torch.equal(output, tower(images(1)).maps[-1])


def test_other_pixels_sizes_and_precisions_are_other_images(tower: ImageTransformer) -> None:
    batch = images(1)
    with torch.no_grad(), cache_frozen_prefix(tower) as cache:
        tower(batch)
        changed = batch.clone()
        changed[0, 0, 0, 0] += 1e-3
        tower(changed)
        tower(batch.flip(-1))
        tower(batch[..., :40])
        with torch.autocast("cpu", torch.bfloat16):
            low = tower(batch).maps[0]
        assert (cache.hits, cache.misses) == (0, 15)
        assert not torch.equal(low, tower(batch).maps[0])
        tower(batch.contiguous(memory_format=torch.channels_last))
        assert (cache.hits, cache.misses) == (6, 15)


def test_a_full_cache_computes(tower: ImageTransformer) -> None:
    batch = images()
    with torch.no_grad(), cache_frozen_prefix(tower, max_bytes=1) as cache:
        maps = tower(batch).maps
        assert torch.equal(tower(batch).maps[2], maps[2])
        assert (cache.hits, cache.num_bytes) == (0, 0)


def test_gradients_after_an_evaluation(tower: ImageTransformer) -> None:
    """Scores are computed in inference mode, whose tensors training must not get."""
    for parameter in tower.vit.blocks[10].parameters():
        parameter.requires_grad_(True)
    batch = images(2)

    def gradients() -> list[torch.Tensor]:
        tower.zero_grad()
        tower(batch).maps[2].square().mean().backward()
        return [p.grad.clone() for p in tower.vit.blocks[10].parameters() if p.grad is not None]

    expected = gradients()
    with cache_frozen_prefix(tower) as cache:
        with torch.inference_mode():
            tower(batch)
        result = gradients()
        assert cache.misses == 6 and cache.hits == 6
    assert len(result) == len(expected) > 10
    for ours, theirs in zip(result, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-3)


def test_images_that_want_gradients_are_computed(tower: ImageTransformer) -> None:
    batch = images(1).requires_grad_()
    with cache_frozen_prefix(tower) as cache:
        tower(batch).maps[2].sum().backward()
    assert cache.misses == 0 and batch.grad is not None


@pytest.mark.parametrize("stages", [(1, 2, 3), (3,), ()])
def test_bridgers_end_what_depends_on_the_image_alone(
    stages: tuple[int, ...], mini_towers: Path
) -> None:
    overrides = {"image_tower": "dinov2-mini", "weights": str(mini_towers), "image_size": 48}
    overrides |= {"train_pos_embed": False, "bridger.stages": list(stages)}
    torch.manual_seed(0)
    system = build_system("etris-mini", overrides=overrides).eval()
    for parameter in system.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.1)
    ids = system.tokenizer(["left dog", "the red mug"])
    others = system.tokenizer(["the red mug", "a man in a hat"])
    with torch.no_grad():
        expected, expected_others = system(images(2), ids), system(images(2), others)
        with cache_frozen_prefix(system) as cache:
            system(images(2), ids)
            logits, logits_others = system(images(2), ids), system(images(2), others)
    # stages that begin before the first Bridger are read, and those behind it computed
    num_cached = {(1, 2, 3): 1, (3,): 3, (): 3}[stages]
    assert (cache.misses, cache.hits) == (2 * num_cached, 4 * num_cached)
    torch.testing.assert_close(logits, expected, atol=TOLERANCE, rtol=1e-3)
    torch.testing.assert_close(logits_others, expected_others, atol=TOLERANCE, rtol=1e-3)
    assert stages == () or not torch.allclose(logits, logits_others)


@pytest.fixture
def config(tiny_world: Path, mini_towers: Path) -> TrainingConfig:
    overrides = {"image_tower": "dinov2-mini", "weights": str(mini_towers), "image_size": 64}
    return TrainingConfig(
        system="etris-mini",
        data=(str(tiny_world / "refscenes"),),
        overrides={**overrides, "train_pos_embed": False, "head.dropout": 0.1},
        eval_splits=(f"{tiny_world / 'refscenes'}:val",),
        eval_every=2,
        eval_limit=4,
        steps=6,
        batch_size=4,
        warmup=1,
        precision="no",
        save_every=2,
        log_every=1,
    )


@pytest.mark.filterwarnings("ignore::risbook.tokenizers.word_tokenizer.UnknownWordWarning")
def test_training_with_the_cache_is_training(config: TrainingConfig, tmp_path: Path) -> None:
    """The same losses as without; and a run that was stopped, so with an empty cache, is equal."""
    train_system(config, tmp_path / "without", show_progress=False)
    config = replace(config, cache_frozen=True)
    train_system(config, tmp_path / "whole", show_progress=False)
    losses = [
        [row["loss"] for row in read_log(tmp_path / run / "log.jsonl") if "loss" in row]
        for run in ("without", "whole")
    ]
    assert len(losses[0]) == 6
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)

    def stop(step: int, loss: float) -> None:
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_system(config, tmp_path / "stopped", show_progress=False, on_step=stop)
    train_system(config, tmp_path / "stopped", resume=True, show_progress=False)
    whole, stopped = (
        load_file(tmp_path / run / "model.safetensors") for run in ("whole", "stopped")
    )
    assert whole.keys() == stopped.keys()
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)
    # The cache may be dropped when a run is resumed.
    train_system(
        replace(config, cache_frozen=False), tmp_path / "whole", resume=True, show_progress=False
    )


@pytest.mark.filterwarnings("ignore::risbook.tokenizers.word_tokenizer.UnknownWordWarning")
def test_nothing_to_keep_is_told(config: TrainingConfig, tmp_path: Path) -> None:
    overrides = {**config.overrides, "train_pos_embed": True}
    config = replace(config, overrides=overrides, cache_frozen=True, steps=1, eval_splits=())
    with pytest.warns(UserWarning, match="cache_frozen: there is nothing to keep"):
        train_system(config, tmp_path / "run", show_progress=False)
