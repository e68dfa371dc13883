"""Image-to-text and text-to-image retrieval: do two towers give pairs nearby vectors?

For each of N images all N captions are ordered by cosine similarity, and the rank of the first
correct caption counts; then the other way round. R@K is the share of queries with a rank of at
most K, as in Karpathy and Fei-Fei, "Deep Visual-Semantic Alignments for Generating Image
Descriptions" (CVPR 2015), section 4.2; CLIP's paper (2021, appendix E.1) reports the same figures.

Two images can have the same caption, and then either is correct. Chance is computed for the same
duplicates: a query with k correct answers among N finds one within K random picks with probability
1 - C(N - k, K) / C(N, K).
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from risbook.errors import DataError

#: The K of R@K.
CUTS = (1, 5, 10)
#: Queries whose similarities are held in memory at a time.
_CHUNK = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalScore:
    """Figures of one direction.

    Args:
        r1: share of queries whose first answer is correct, from 0 to 1.
        r5: share with a correct one among the first five.
        r10: share with a correct one among the first ten.
        median_rank: median rank of the first correct answer; 1 is best.
    """

    r1: float
    r5: float
    r10: float
    median_rank: float

    def as_dict(self) -> dict[str, float]:
        """The figures by the names that tables print."""
        return {"R@1": self.r1, "R@5": self.r5, "R@10": self.r10, "median rank": self.median_rank}


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval:
    """Figures of both directions beside chance.

    Args:
        count: number N of pairs.
        distinct: number of different captions among them.
        image_to_text: images are the queries.
        text_to_image: captions are the queries.
        chance: what random vectors reach, in either direction.
    """

    count: int
    distinct: int
    image_to_text: RetrievalScore
    text_to_image: RetrievalScore
    chance: RetrievalScore

    def as_dict(self) -> dict[str, dict[str, float] | int]:
        """All figures, for a result file or a table with one row per direction."""
        return {
            "count": self.count,
            "distinct": self.distinct,
            "image to text": self.image_to_text.as_dict(),
            "text to image": self.text_to_image.as_dict(),
            "chance": self.chance.as_dict(),
        }


@torch.no_grad()
def evaluate_retrieval(
    images: Tensor, texts: Tensor, captions: Sequence[Hashable] | None = None
) -> Retrieval:
    """Measure retrieval among N pairs.

    A wrong answer that is exactly as similar as the best correct one counts as ahead of it, so
    towers that give the same vector for all inputs score 0 and not 1.

    Args:
        images: (N, C), one vector per image; brought to unit length here.
        texts: (N, C), the vector of each image's caption.
        captions: N captions or other hashable values; pairs with equal captions are
            correct answers to each other. Without them all pairs differ.

    Raises:
        DataError: shapes do not fit, there is no pair, or a vector is not finite.

    >>> score = evaluate_retrieval(torch.eye(4), torch.eye(4)[[0, 1, 3, 2]])
    >>> score.image_to_text.r1, score.image_to_text.r5, score.chance.r1
    (0.5, 1.0, 0.25)
    """
    if images.ndim != 2 or images.shape != texts.shape or not len(images):
        raise DataError(
            f"retrieval needs images and texts of one shape (N, C), N > 0, got "
            f"{tuple(images.shape)} and {tuple(texts.shape)}"
        )
    count = len(images)
    names: Sequence[Hashable] = range(count) if captions is None else captions
    if len(names) != count:
        raise DataError(f"retrieval of {count} pairs needs as many captions, got {len(names)}")
    images, texts = _unit("images", images), _unit("texts", texts)
    number = {name: i for i, name in enumerate(dict.fromkeys(names))}
    groups = torch.tensor([number[name] for name in names])
    return Retrieval(
        count=count,
        distinct=len(number),
        image_to_text=_score_of_ranks(_ranks(images, texts, groups)),
        text_to_image=_score_of_ranks(_ranks(texts, images, groups)),
        chance=chance_level(list(Counter(names).values())),
    )


def chance_level(sizes: Sequence[int]) -> RetrievalScore:
    """Expected R@K of random answers, and the rank that half of all queries reach.

    Args:
        sizes: how many pairs share each distinct caption; they sum to N.

    >>> chance_level([1] * 20).r5, chance_level([1] * 20).median_rank
    (0.25, 10.0)
    """
    total = sum(sizes)
    repeats = Counter(sizes)

    def recall(picks: int) -> float:
        # Each of the k pairs that share a caption is a query of its own.
        missed = sum(k * repeats[k] * math.comb(total - k, picks) for k in repeats)
        return 1 - missed / (total * math.comb(total, picks))

    r1, r5, r10 = (round(recall(min(cut, total)), 12) for cut in CUTS)
    half = 1 + bisect_left(range(1, total + 1), 0.5 - 1e-9, key=recall)
    return RetrievalScore(r1=r1, r5=r5, r10=r10, median_rank=float(half))


def _unit(name: str, vectors: Tensor) -> Tensor:
    vectors = vectors.detach().cpu().float()
    if not bool(torch.isfinite(vectors).all()):
        raise DataError(f"retrieval: some of the {name} vectors are not finite")
    return torch.nn.functional.normalize(vectors, dim=1)


def _ranks(queries: Tensor, answers: Tensor, groups: Tensor) -> Tensor:
    """Rank of the first correct answer to each query, (N,)."""
    ranks = []
    for start in range(0, len(queries), _CHUNK):
        rows = slice(start, start + _CHUNK)
        similarity = queries[rows] @ answers.T  # (chunk, N)
        correct = groups[rows, None] == groups[None]
        best = similarity.masked_fill(~correct, -torch.inf).amax(1, keepdim=True)
        ranks.append(1 + ((similarity >= best) & ~correct).sum(1))
    return torch.cat(ranks)


def _score_of_ranks(ranks: Tensor) -> RetrievalScore:
    r1, r5, r10 = (float((ranks <= cut).double().mean()) for cut in CUTS)
    median_rank = float(ranks.double().quantile(0.5))
    return RetrievalScore(r1=r1, r5=r5, r10=r10, median_rank=median_rank)
