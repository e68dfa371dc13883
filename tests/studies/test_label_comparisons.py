"""A method of a label study against its rivals, where all of them are recorded."""

import numpy as np
import pytest

from risbook.errors import DataError
from risbook.studies.label_comparisons import compare_with_rivals, whole_amounts
from risbook.studies.label_curves import LabelPoint

IMAGE_IDS = np.repeat(np.arange(50), 2).tolist()
HARDNESS = np.random.default_rng(0).uniform(0.2, 0.8, len(IMAGE_IDS))


def point(
    method: str,
    num_images: int,
    gain: float = 0.0,
    seeds: tuple[int, ...] = (0, 1, 2),
    split: str = "test_seen",
) -> LabelPoint:
    """IoUs that scatter by 0.01 around the hardness of the expressions, plus a gain."""
    generator = np.random.default_rng(len(method) + num_images)
    noise = generator.normal(0, 0.01, (len(seeds), len(IMAGE_IDS)))
    ious = HARDNESS + gain + noise - noise.mean()
    return LabelPoint(method, num_images, split, seeds, ious, IMAGE_IDS, 300, 60.0)


def test_an_amount_is_whole_if_every_method_has_every_seed_on_every_split() -> None:
    points = [
        point("etris", 125),
        point("frozen", 125),
        point("etris", 500),
        point("frozen", 500, seeds=(0, 1)),
        point("etris", 2000),
    ]
    options = {"methods": ("etris", "frozen"), "seeds": (0, 1, 2)}
    assert whole_amounts(points, **options) == [125]
    assert whole_amounts(points, methods=("etris",), seeds=(0,)) == [125, 500, 2000]
    assert whole_amounts([*points, point("etris", 125, split="val")], **options) == []
    assert whole_amounts([], **options) == []


def test_verdicts_are_those_of_the_joint_interval() -> None:
    points = [point("etris", 125, 0.0), point("full", 125, -0.05), point("lora", 125, 0.05)]
    points.append(point("frozen", 125, 0.0))
    comparisons = compare_with_rivals(
        points, "etris", rivals=("full", "lora", "frozen"), splits=("test_seen",), amounts=(125,)
    )
    assert [c.verdict for c in comparisons] == ["higher", "lower", "undecided"]
    for comparison in comparisons:
        assert (comparison.num_seeds, comparison.group_size) == (3, 3)
        narrow, wide = comparison.difference, comparison.joint
        assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high
        assert comparison.seeds_alone is not None
        assert comparison.seeds_alone.mean == pytest.approx(narrow.mean)


def test_seeds_that_disagree_decide_nothing_although_the_bootstrap_does() -> None:
    noisy = LabelPoint(
        "full",
        125,
        "test_seen",
        (0, 1, 2),
        HARDNESS + np.array([[-0.01], [-0.01], [-0.10]]),
        IMAGE_IDS,
        300,
        60.0,
    )
    (comparison,) = compare_with_rivals(
        [point("etris", 125), noisy],
        "etris",
        rivals=("full",),
        splits=("test_seen",),
        amounts=(125,),
    )
    assert comparison.joint.low > 0
    assert comparison.seeds_alone is not None
    assert comparison.seeds_alone.low < 0
    assert comparison.verdict == "undecided"


def test_one_seed_decides_nothing() -> None:
    points = [point("etris", 125, seeds=(0,)), point("full", 125, -0.5, seeds=(0,))]
    (comparison,) = compare_with_rivals(
        points, "etris", rivals=("full",), splits=("test_seen",), amounts=(125,)
    )
    assert comparison.joint.is_decided
    assert comparison.verdict == "one seed: undecided"
    assert comparison.seeds_alone is None


def test_the_order_is_split_amount_rival() -> None:
    points = [
        point(method, amount, split=split)
        for method in ("etris", "full", "lora")
        for amount in (125, 500)
        for split in ("test_seen", "test_unseen")
    ]
    comparisons = compare_with_rivals(
        points,
        "etris",
        rivals=("lora", "full"),
        splits=("test_unseen", "test_seen"),
        amounts=(125, 500),
    )
    places = [(c.split, c.num_images, c.rival) for c in comparisons]
    assert places[:3] == [
        ("test_unseen", 125, "lora"),
        ("test_unseen", 125, "full"),
        ("test_unseen", 500, "lora"),
    ]
    assert len(places) == 8


def test_a_missing_point_is_named() -> None:
    with pytest.raises(DataError, match="no recorded point of 'full' with 125 images on 'test"):
        compare_with_rivals(
            [point("etris", 125)],
            "etris",
            rivals=("full",),
            splits=("test_seen",),
            amounts=(125,),
        )
