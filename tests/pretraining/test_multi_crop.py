"""Regions of images and their crops."""

from dataclasses import replace

import pytest
import torch
from einops import rearrange

from risbook.pretraining.image_corpus import ImageCorpus
from risbook.pretraining.multi_crop import CropConfig, sample_crops, unique_objects


def test_an_object_counts_once_however_many_expressions_it_has(corpus: ImageCorpus) -> None:
    objects = unique_objects(corpus.objects)
    assert len(objects) == len({(entry.image_index, entry.box) for entry in corpus.objects})
    assert len(unique_objects(corpus.objects * 2)) == len(objects)


def test_crops_of_a_region_have_the_same_index(corpus: ImageCorpus) -> None:
    white = replace(corpus, canvas=torch.zeros_like(corpus.canvas))
    white.canvas[1] = 255
    count = len(white)
    config = CropConfig(
        batch_size=count, object_share=0.0, large_size=16, small_size=8, num_small=2
    )
    crops = sample_crops(white, [], config, torch.Generator().manual_seed(0), patch_size=8)
    assert crops.student.shape == crops.teacher.shape == (2 * count, 3, 16, 16)
    assert crops.small.shape == (2 * count, 3, 8, 8)
    batches = (crops.student, crops.teacher, crops.small)
    light = [batch.mean(dim=(1, 2, 3)) > 0 for batch in batches]
    halves = [half for batch in light for half in batch.chunk(2)]
    assert int(halves[0].sum()) == 1
    assert all(torch.equal(halves[0], half) for half in halves)


def test_matched_patches_show_the_same(
    corpus: ImageCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("risbook.pretraining.multi_crop.jitter_colours", lambda views, _: views)
    config = CropConfig(batch_size=4, object_share=0.0, large_size=32, num_small=0)
    shifted = False
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        crops = sample_crops(corpus, [], config, generator, patch_size=8)
        halves = zip(crops.student.chunk(2), crops.teacher.chunk(2), crops.matches, strict=True)
        for student, teacher, (rows, columns) in halves:
            patches = [
                rearrange(view, "b c (h p) (w q) -> b (h w) (c p q)", p=8, q=8)
                for view in (student, teacher)
            ]
            assert torch.equal(patches[0][:, rows], patches[1][:, columns])
            shifted = shifted or len(rows) < 16
    assert shifted


def test_no_more_regions_than_objects(corpus: ImageCorpus) -> None:
    few = unique_objects(corpus.objects)[:2]
    config = CropConfig(batch_size=8, object_share=1.0, large_size=16, num_small=0)
    crops = sample_crops(corpus, few, config, torch.Generator().manual_seed(0), patch_size=8)
    assert len(crops.student) == 4 and len(crops.small) == 0
