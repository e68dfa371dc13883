"""Recorded features: rounding, labels, and agreement with the tower where its weights are."""

import numpy as np
import pytest
import torch

from risbook.data import load_photograph, open_data
from risbook.errors import ArgumentError, DataError
from risbook.probing.recorded_features import (
    block_maps,
    list_recorded,
    load_recorded,
    object_vectors,
    read_recorded,
    scene_object_vectors,
    write_recorded,
)
from risbook.towers.build import build_random_tower, build_tower
from risbook.towers.info import weights_status
from risbook.towers.presets import TOWERS

ABOUT = {"weights": "a tower", "place": "after block 3", "date": "2026-11-29"}


def test_features_are_rounded_by_less_than_half_a_step(tmp_path):
    path = tmp_path / "tower.safetensors"
    features = torch.randn(5, 7, 4, generator=torch.Generator().manual_seed(0))
    features[..., 2] *= 100  # a scale per channel keeps the small channels
    write_recorded(path, {"map": features, "image_ids": torch.arange(3)}, ABOUT)
    recorded = read_recorded(path)
    step = features.abs().flatten(0, -2).amax(dim=0) / 127
    assert bool(((recorded["map"] - features).abs() <= 0.51 * step).all())
    assert recorded["image_ids"].tolist() == [0, 1, 2]
    assert recorded.label == "a tower, after block 3, recorded on 2026-11-29"


def test_a_channel_of_zeros_stays_zero(tmp_path):
    path = tmp_path / "tower.safetensors"
    write_recorded(path, {"map": torch.zeros(2, 3)}, ABOUT)
    assert read_recorded(path)["map"].abs().max() == 0


def test_other_files_and_names_are_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"no tensors")
    with pytest.raises(DataError, match="no recording"):
        read_recorded(path)
    with pytest.raises(ArgumentError, match="choose one of"):
        load_recorded("no-such-tower")


def test_an_object_has_the_mean_of_its_patches():
    feature_map = torch.arange(16.0).reshape(4, 4, 1)
    masks = [np.zeros((32, 32), bool), np.ones((32, 32), bool)]
    masks[0][:8, :16] = True  # the first two patches, 0 and 1
    vectors = object_vectors(feature_map, masks, image_size=32)
    assert torch.allclose(vectors, torch.tensor([[0.5], [7.5]]), atol=0.05)


def test_a_map_after_a_block_is_that_of_a_shorter_run():
    tower = build_tower("clip-mini-40k-image")
    image = load_photograph("coffee").image
    first, second = block_maps(tower, image, image_size=48, blocks=[2, 5])
    (alone,) = block_maps(tower, image, image_size=48, blocks=[5])
    assert first.shape == second.shape == (6, 6, 128)
    assert torch.equal(second, alone)


@pytest.mark.parametrize("name", list_recorded())
def test_a_recording_names_its_tower(name):
    recorded = load_recorded(name)
    if name != "object-colours":
        tower = recorded.about["tower"]
        is_random = "random" in recorded.about["weights"]
        assert recorded.about["sha256"] == ("" if is_random else TOWERS[tower].sha256)
    assert recorded.about["command"].startswith("python book/_tools/record_features.py")
    for features in recorded.tensors.values():
        assert bool(torch.isfinite(features.float()).all())


def test_the_random_tower_is_the_recorded_one():
    objects = load_recorded("dinov2-s-random-objects")
    image_id = int(objects["val.image_ids"][0])
    tower = build_random_tower("dinov2-s")
    live = scene_object_vectors(tower, open_data("refscenes"), image_id, image_size=168, block=8)
    recorded = objects["val.vectors"][objects["val.image_ids"] == image_id]
    assert torch.cosine_similarity(live, recorded, dim=-1).min() > 0.999


def test_recordings_agree_with_the_tower():
    if weights_status("dinov2-s") not in ("in the cache", "RISBOOK_WEIGHTS"):
        pytest.skip("needs the weights of dinov2-s: run `risbook towers get dinov2-s`")
    tower = build_tower("dinov2-s")
    coffee = load_photograph("coffee").image
    (live,) = block_maps(tower, coffee, image_size=448, blocks=[11])
    recorded = load_recorded("dinov2-s-photographs")["coffee"]
    assert torch.cosine_similarity(live, recorded, dim=-1).min() > 0.999
    objects = load_recorded("dinov2-s-objects")
    image_id = int(objects["val.image_ids"][0])
    live = scene_object_vectors(tower, open_data("refscenes"), image_id, image_size=168, block=8)
    recorded = objects["val.vectors"][objects["val.image_ids"] == image_id]
    assert torch.cosine_similarity(live, recorded, dim=-1).min() > 0.999
    norm, _, scale = tower.branch_layers(9, "mlp")
    inputs = load_recorded("dinov2-s-mlps")
    assert torch.allclose(norm.weight, inputs["9.norm.weight"][0])
    assert torch.allclose(scale(torch.ones(1, 384)), inputs["9.layer_scale"])


def test_the_recorded_colours_are_those_of_the_recorded_objects():
    colours, vectors = load_recorded("object-colours"), load_recorded("dinov2-s-objects")
    for split in ("train", "val"):
        image_ids = colours[f"{split}.image_ids"]
        assert torch.equal(image_ids, vectors[f"{split}.image_ids"])
        assert colours[f"{split}.vectors"].shape == (len(image_ids), 3)
    data = open_data("refscenes")
    image_id = int(colours["val.image_ids"][0])
    _, mask = data.objects(image_id)[0]
    expected = torch.from_numpy(data.image(image_id)[mask] / 255).float().mean(dim=0)
    assert torch.allclose(colours["val.vectors"][0], expected, atol=0.005)
