"""The paired bootstrap: what it recovers, and how its interval depends on images and seeds."""

import numpy as np
import pytest

from risbook.errors import ArgumentError
from risbook.evaluation.paired_difference import mean_with_interval, paired_difference

RNG = np.random.default_rng(0)


def test_what_both_models_share_leaves_the_interval() -> None:
    hardness = RNG.random(600)
    image_ids = np.repeat(np.arange(300), 2)
    first = hardness + 0.02 + 0.05 * RNG.standard_normal(600)
    second = hardness + 0.05 * RNG.standard_normal(600)
    paired = paired_difference(first, second, image_ids.tolist())
    shuffled = paired_difference(first, RNG.permutation(second), image_ids.tolist())
    assert paired.is_decided and not shuffled.is_decided
    assert paired.half_width < shuffled.half_width / 3
    assert paired.mean == pytest.approx(0.02, abs=0.008)
    assert (paired.num_expressions, paired.num_images) == (600, 300)


def test_the_interval_has_the_width_of_theory() -> None:
    difference = RNG.standard_normal(400)
    result = paired_difference(difference, np.zeros(400), list(range(400)))
    assert result.half_width == pytest.approx(1.96 / 20, rel=0.15)


def test_expressions_of_one_image_count_as_one_unit() -> None:
    per_image = RNG.standard_normal(100)
    copies = np.repeat(per_image, 5)
    together = paired_difference(copies, np.zeros(500), np.repeat(np.arange(100), 5).tolist())
    alone = paired_difference(per_image, np.zeros(100), list(range(100)))
    assert together.half_width == pytest.approx(alone.half_width, rel=0.1)


def test_seeds_that_differ_widen_the_interval() -> None:
    runs = 0.5 + np.array([[-0.1], [0.0], [0.1]]) + 0 * RNG.random((3, 50))
    result = paired_difference(runs, np.full((3, 50), 0.5), list(range(50)))
    assert result.mean == pytest.approx(0) and result.half_width > 0.05
    same = paired_difference(runs[1], np.full(50, 0.5), list(range(50)))
    assert same.half_width == pytest.approx(0)


def test_other_expressions_are_refused() -> None:
    with pytest.raises(ArgumentError, match="3 and 2 scores for 3 expressions"):
        paired_difference([0.1, 0.2, 0.3], [0.1, 0.2], [1, 2, 3])


def test_one_model_has_the_interval_of_its_mean() -> None:
    scores = RNG.random(300)
    result = mean_with_interval(scores, list(range(300)))
    assert result.mean == pytest.approx(scores.mean())
    assert result.half_width == pytest.approx(1.96 * scores.std() / 300**0.5, rel=0.15)
