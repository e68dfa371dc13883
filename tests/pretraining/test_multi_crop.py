"""Parts of pictures and their crops."""

from dataclasses import replace

import pytest
import torch
from einops import rearrange

from risbook.pretraining.image_corpus import Pictures
from risbook.pretraining.multi_crop import CropConfig, draw_crops, things


def test_a_thing_counts_once_however_much_is_said_of_it(pictures: Pictures) -> None:
    once = things(pictures.objects)
    assert len(once) == len({(one.picture, one.box) for one in pictures.objects})
    assert len(things(pictures.objects * 2)) == len(once)


def test_crops_of_a_part_stand_together(pictures: Pictures) -> None:
    white = replace(pictures, canvas=torch.zeros_like(pictures.canvas))
    white.canvas[1] = 255
    count = len(white)
    config = CropConfig(parts=count, close=0.0, large=16, small=8, smalls=2)
    crops = draw_crops(white, [], config, torch.Generator().manual_seed(0), patch=8)
    assert crops.student.shape == crops.teacher.shape == (2 * count, 3, 16, 16)
    assert crops.small.shape == (2 * count, 3, 8, 8)
    batches = (crops.student, crops.teacher, crops.small)
    light = [batch.mean(dim=(1, 2, 3)) > 0 for batch in batches]
    halves = [half for batch in light for half in batch.chunk(2)]
    assert int(halves[0].sum()) == 1
    assert all(torch.equal(halves[0], half) for half in halves)


def test_matched_patches_show_the_same(pictures: Pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("risbook.pretraining.multi_crop.jitter_colours", lambda views, _: views)
    config = CropConfig(parts=4, close=0.0, large=32, smalls=0)
    shifted = False
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        crops = draw_crops(pictures, [], config, generator, patch=8)
        halves = zip(crops.student.chunk(2), crops.teacher.chunk(2), crops.pairs, strict=True)
        for student, teacher, (ours, theirs) in halves:
            cut = [
                rearrange(one, "b c (h p) (w q) -> b (h w) (c p q)", p=8, q=8)
                for one in (student, teacher)
            ]
            assert torch.equal(cut[0][:, ours], cut[1][:, theirs])
            shifted = shifted or len(ours) < 16
    assert shifted


def test_no_more_parts_than_there_are(pictures: Pictures) -> None:
    few = things(pictures.objects)[:2]
    config = CropConfig(parts=8, close=1.0, large=16, smalls=0)
    crops = draw_crops(pictures, few, config, torch.Generator().manual_seed(0), patch=8)
    assert len(crops.student) == 4 and len(crops.small) == 0
