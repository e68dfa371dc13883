"""Nested subsets of training images: the same on every machine and in every set."""

from dataclasses import replace
from pathlib import Path

import pytest

from risbook.data import ReferData, open_data
from risbook.data.image_subset import choose_images
from risbook.data.samples import TrainingSamples
from risbook.errors import ArgumentError

IMAGES = [(Path("images"), f"scene_{number:03d}.jpg") for number in range(200)]


def choose(num_images: int, seed: int = 0) -> set[tuple[Path, str]]:
    return choose_images(IMAGES, num_images=num_images, seed=seed)


def test_subsets_are_nested() -> None:
    for smaller, larger in ((1, 5), (5, 50), (50, 199), (199, 200)):
        assert len(choose(smaller)) == smaller
        assert choose(smaller) < choose(larger)
    assert choose(200) == choose(500) == set(IMAGES)


def test_a_seed_decides_and_nothing_else() -> None:
    assert choose(20, seed=1) != choose(20)
    assert choose_images(reversed(IMAGES * 2), num_images=20, seed=0) == choose(20)
    elsewhere = [(Path("other"), name) for _, name in IMAGES]
    moved = choose_images(elsewhere, num_images=20, seed=0)
    assert {name for _, name in moved} == {name for _, name in choose(20)}
    # Recorded, because the labels of a study may not change under its name.
    recorded = {"scene_056.jpg", "scene_076.jpg", "scene_163.jpg"}
    assert {name for _, name in choose(3)} == recorded


def test_an_image_keeps_its_rank_among_others() -> None:
    few = choose_images(IMAGES[:100], num_images=10, seed=0)
    assert choose(10) & set(IMAGES[:100]) <= few


@pytest.fixture
def source(tiny_world: Path) -> ReferData:
    return open_data(tiny_world / "refscenes")


def image_ids(samples: TrainingSamples) -> set[int]:
    return {referent.image_id for _, referent in samples.objects}


def test_all_objects_of_a_subset_are_trained_on(source: ReferData) -> None:
    samples = TrainingSamples(sources=[source], num_images=5)
    assert len(image_ids(samples)) == 5
    refs = source.expressions.split("train").refs
    expected = [ref for ref in refs if ref.image_id in image_ids(samples)]
    assert [referent for _, referent in samples.objects] == expected
    assert len(expected) > 5  # images are counted, not objects
    larger = TrainingSamples(sources=[source], num_images=12)
    assert image_ids(samples) < image_ids(larger)


def test_the_seed_of_a_run_does_not_choose(source: ReferData) -> None:
    first = image_ids(TrainingSamples(sources=[source], num_images=5))
    assert image_ids(TrainingSamples(sources=[source], num_images=5, seed=7)) == first
    assert image_ids(TrainingSamples(sources=[source], num_images=5, subset_seed=7)) != first


def test_no_limit_and_all_images_are_the_same(source: ReferData) -> None:
    everything = TrainingSamples(sources=[source]).objects
    assert TrainingSamples(sources=[source], num_images=24).objects == everything
    message = "num_images is 25, but there are 24 images to train on in refscenes; give at most 24"
    with pytest.raises(ArgumentError, match=message):
        TrainingSamples(sources=[source], num_images=25)


def test_sets_that_share_images_share_the_subset(source: ReferData, tiny_world: Path) -> None:
    plus = open_data(tiny_world / "refscenes+")
    joined = TrainingSamples(sources=[source, plus], num_images=5)
    for data in (source, plus):
        alone = image_ids(TrainingSamples(sources=[data], num_images=5))
        assert {row.image_id for other, row in joined.objects if other is data} == alone


def test_files_of_one_name_in_two_folders_are_two_images(source: ReferData, tmp_path: Path) -> None:
    other = replace(source, image_folders=(tmp_path,))
    samples = TrainingSamples(sources=[source, other], num_images=2)
    assert len(image_ids(samples)) == 1
    assert {id(data) for data, _ in samples.objects} == {id(source), id(other)}
