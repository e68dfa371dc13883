"""Retrieval: hand-worked ranks, duplicates, ties, and chance against a simulation."""

import pytest
import torch

from risbook.errors import DataError
from risbook.probing.retrieval import chance_level, evaluate_retrieval


def test_ranks_by_hand() -> None:
    # Picture i is most like the captions in the order of its row.
    similarity = torch.tensor([[0.9, 0.1, 0.2], [0.8, 0.5, 0.3], [0.7, 0.6, 0.1]])
    # Unit vectors with these dot products: images are axes, captions the columns.
    rest = (6 - similarity.square().sum(0)).sqrt()
    texts = torch.cat([similarity, torch.diag(rest)]).T
    images = torch.eye(3, 6)
    score = evaluate_retrieval(images, texts)
    assert score.image_to_text.r1 == pytest.approx(1 / 3)
    assert score.image_to_text.median_rank == 2
    # Captions' columns: (0.9 first), (0.5 second), (0.1 third).
    assert score.text_to_image.r1 == pytest.approx(1 / 3)
    assert score.text_to_image.median_rank == 2
    assert score.text_to_image.r5 == 1


def test_directions_are_not_swapped() -> None:
    # All captions are nearest to image 0, but every image finds its own caption first.
    images = torch.tensor([[1.0, 0, 0], [0.6, 0.8, 0], [0.6, 0, 0.8]])
    texts = torch.tensor([[1.0, 0, 0], [0.99, 0.1, 0], [0.99, 0, 0.1]])
    score = evaluate_retrieval(images, texts)
    assert score.text_to_image.r1 == pytest.approx(1 / 3)
    assert score.image_to_text.r1 > score.text_to_image.r1


def test_vectors_need_no_unit_length() -> None:
    torch.manual_seed(0)
    images = torch.randn(30, 8)
    texts = images + 0.5 * torch.randn(30, 8)
    lengths = torch.rand(30, 1) + 0.1
    assert evaluate_retrieval(images, texts) == evaluate_retrieval(
        images * lengths, texts / lengths
    )


def test_equal_captions_are_right_answers_to_each_other() -> None:
    images, texts = torch.eye(4), torch.eye(4)[[1, 0, 2, 3]]
    assert evaluate_retrieval(images, texts).image_to_text.r1 == 0.5
    score = evaluate_retrieval(images, texts, ["a dog", "a dog", "a cat", "a bus"])
    assert score.image_to_text.r1 == score.text_to_image.r1 == 1
    assert (score.count, score.distinct) == (4, 3)
    assert score.chance.r1 == pytest.approx((2 * 2 / 4 + 2 * 1 / 4) / 4)


def test_towers_that_say_one_thing_score_nothing() -> None:
    score = evaluate_retrieval(torch.ones(50, 4), torch.ones(50, 4))
    assert score.image_to_text.r10 == score.text_to_image.r10 == 0
    assert score.image_to_text.median_rank == 50


@pytest.mark.parametrize("captions", [list(range(40)), [i // 3 for i in range(40)], [0, 0, 1, 2]])
def test_chance_is_what_random_vectors_reach(captions: list[int]) -> None:
    torch.manual_seed(1)
    n = len(captions)
    runs = [
        evaluate_retrieval(torch.randn(n, 16), torch.randn(n, 16), captions) for _ in range(200)
    ]
    for name in ("r1", "r5", "r10"):
        mean = sum(getattr(run.text_to_image, name) for run in runs) / len(runs)
        assert mean == pytest.approx(getattr(runs[0].chance, name), abs=0.04), name
    median = sum(run.image_to_text.median_rank for run in runs) / len(runs)
    assert median == pytest.approx(runs[0].chance.median_rank, abs=1.5)


def test_chance_of_distinct_captions_is_k_over_n() -> None:
    figures = chance_level([1] * 500)
    assert (figures.r1, figures.r5, figures.r10) == pytest.approx((0.002, 0.01, 0.02))
    assert figures.median_rank == 250


def test_more_queries_than_a_chunk() -> None:
    torch.manual_seed(2)
    vectors = torch.randn(1100, 16)
    score = evaluate_retrieval(vectors, vectors)
    assert score.image_to_text.r1 == score.text_to_image.r1 == 1
    assert score.as_dict()["image to text"]["R@1"] == 1  # type: ignore[index]


@pytest.mark.parametrize(
    ("images", "texts", "captions", "says"),
    [
        (torch.ones(3, 4), torch.ones(2, 4), None, "one shape"),
        (torch.ones(0, 4), torch.ones(0, 4), None, "one shape"),
        (torch.ones(3, 4), torch.ones(3, 4), ["a"], "captions"),
        (torch.full((3, 4), torch.nan), torch.ones(3, 4), None, "images"),
    ],
)
def test_mistakes_are_told(
    images: torch.Tensor, texts: torch.Tensor, captions: list[str] | None, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        evaluate_retrieval(images, texts, captions)
