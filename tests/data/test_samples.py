"""Training samples: one sentence an object, no image that any set holds out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from risbook.data import open_data
from risbook.data.expressions import ExpressionTable
from risbook.data.samples import EpochBatches, TrainingSamples, collate


@pytest.fixture
def samples(tiny_world: Path) -> TrainingSamples:
    return TrainingSamples(sources=[open_data(tiny_world / "refscenes")], image_size=48)


def test_a_sample_and_a_batch(samples: TrainingSamples) -> None:
    sample = samples[0]
    assert sample.image.shape == (48, 48, 3)
    assert sample.image.dtype == np.uint8
    assert sample.mask.shape == (48, 48)
    assert 0 < sample.mask.mean() < 1
    batch = collate([samples[0], samples[1]])
    assert batch.images.shape == (2, 3, 48, 48)
    assert batch.masks.shape == (2, 1, 48, 48)
    assert batch.texts == [samples[0].text, samples[1].text]


def test_an_epoch_visits_every_object_once(samples: TrainingSamples) -> None:
    table = samples.sources[0].expressions.split("train")
    assert len(samples) == len(table.refs)
    batches = list(EpochBatches(count=len(samples), batch_size=4, seed=0, epoch=0))
    visited = [index for batch in batches for index in batch]
    assert len(visited) == len(set(visited)) == len(samples) // 4 * 4


def test_the_order_follows_from_seed_and_epoch() -> None:
    def order(**changes: int) -> list[list[int]]:
        return list(
            EpochBatches(**{"count": 20, "batch_size": 4, "seed": 0, "epoch": 0, **changes})
        )

    assert order() == order()
    assert order(epoch=1) != order() != order(seed=1)
    assert order(start=3) == order()[3:]


def test_every_sentence_is_drawn_sooner_or_later(samples: TrainingSamples) -> None:
    index = next(i for i, (_, ref) in enumerate(samples.objects) if len(ref.expressions) > 1)
    sent_ids = set()
    for epoch in range(60):
        samples.epoch = epoch
        sent_ids.add(samples.draw_expression(index).sent_id)
        assert samples.draw_expression(index) == samples.draw_expression(index)
    assert sent_ids == {expression.sent_id for expression in samples.objects[index][1].expressions}


def test_kept_images_and_masks_are_the_same(tiny_world: Path) -> None:
    source = open_data(tiny_world / "refscenes")
    kept = TrainingSamples(sources=[source], image_size=32, cache_images=True)
    fresh = TrainingSamples(sources=[source], image_size=32)
    first = kept[3].image
    mask = kept[3].mask
    assert np.array_equal(first, fresh[3].image)
    assert kept[3].image is first
    assert mask.dtype == np.float32 and np.array_equal(mask, fresh[3].mask)
    assert np.array_equal(kept[3].mask, mask)
    larger = kept.with_image_size(48)
    assert larger[3].mask.shape == (48, 48) == larger[3].image.shape[:2]


def test_no_set_trains_on_what_another_holds_out(tiny_world: Path) -> None:
    source = open_data(tiny_world / "refscenes")
    first = source.expressions.split("train").refs[0].image_id
    # The same images as another set that evaluates on one of them.
    table = ExpressionTable(
        replace(e, split="val") if e.image_id == first else e
        for e in open_data(tiny_world / "refscenes+").expressions
    )
    other = replace(open_data(tiny_world / "refscenes+"), expressions=table)
    joined = TrainingSamples(sources=[source, other], image_size=32)
    lost = sum(ref.image_id == first for ref in source.expressions.refs)
    assert joined.dropped == lost > 0
    assert first not in {ref.image_id for _, ref in joined.objects}
    assert TrainingSamples(sources=[source], image_size=32).dropped == 0


def test_a_set_alone_is_trained_on_as_it_was_published(tiny_world: Path) -> None:
    """The google partitions share images between their splits by design."""
    source = open_data(tiny_world / "refscenes")
    first = source.expressions[0]
    mixed = ExpressionTable(
        replace(e, split="val") if e.ref_id == first.ref_id else e for e in source.expressions
    )
    samples = TrainingSamples(sources=[replace(source, expressions=mixed)], image_size=32)
    assert samples.dropped == 0
    assert len(samples) == len(source.expressions.split("train").refs) - 1


def test_sets_that_only_share_names_do_not_share_images(tiny_world: Path) -> None:
    source = open_data(tiny_world / "refscenes")
    elsewhere = replace(source, image_folders=(tiny_world / "elsewhere",))
    everything = replace(
        elsewhere, expressions=ExpressionTable(replace(e, split="val") for e in source.expressions)
    )
    assert TrainingSamples(sources=[source, everything], image_size=32).dropped == 0


def test_a_photograph_of_coco_is_one_image_in_all_sets(tiny_world: Path) -> None:
    """In another folder and under the name of train2017 as well."""
    source = open_data(tiny_world / "refscenes")
    held_out = source.expressions.split("train").refs[0].image_id

    def rename(name: str, split: str | None) -> ExpressionTable:
        return ExpressionTable(
            replace(
                row,
                file_name=name.format(row.image_id),
                split=split if split and row.image_id == held_out else row.split,
            )
            for row in source.expressions
        )

    first = replace(source, expressions=rename("COCO_train2014_{:012d}.jpg", None))
    second = replace(
        source,
        expressions=rename("{:012d}.jpg", "testA"),
        image_folders=(tiny_world / "elsewhere",),
    )
    joined = TrainingSamples(sources=[first, second], image_size=32)
    lost = sum(ref.image_id == held_out for ref in source.expressions.split("train").refs)
    assert joined.dropped == lost > 0 and joined.dropped_images == 1
    assert held_out not in {ref.image_id for _, ref in joined.objects}
