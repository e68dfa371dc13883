"""One method of a label study against its rivals, at every amount of data that is recorded in full.

An amount is *whole* if every method has all seeds there; on a part of the runs, the differences
would change with every run that arrives. The comparisons of one split and one amount belong
together: a difference is *higher* or *lower* only if the interval that holds for all rivals at once
leaves out 0 (Bonferroni), and that of the seeds alone as well, as in `risbook.studies.comparisons`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from risbook.errors import DataError
from risbook.evaluation.paired_difference import PairedDifference
from risbook.studies.comparisons import decide
from risbook.studies.label_curves import LabelPoint
from risbook.studies.seed_intervals import Interval, difference_over_seeds


@dataclass(frozen=True, slots=True)
class LabelComparison:
    """A method minus a rival on one amount of data and one split; shares from -1 to 1.

    Args:
        method: the method.
        rival: what is subtracted.
        num_images: labelled training images.
        split: the split of the scores.
        num_seeds: seeds of the one that has fewer.
        difference: with its interval of 95 %.
        joint: with the interval that holds for all rivals at once.
        group_size: how many rivals these are.
        seeds_alone: the joint interval by Student's t over the seeds, which count as independent;
            wider, because it does not use that the expressions are the same. None with one seed.
    """

    method: str
    rival: str
    num_images: int
    split: str
    num_seeds: int
    difference: PairedDifference
    joint: PairedDifference
    group_size: int
    seeds_alone: Interval | None

    @property
    def verdict(self) -> str:
        """What the difference decides, by the rule of `decide`."""
        return decide(self.difference.mean, self.num_seeds, self.joint, self.seeds_alone)


def whole_amounts(
    points: Iterable[LabelPoint], *, methods: Iterable[str], seeds: Iterable[int]
) -> list[int]:
    """The numbers of training images at which every method has every seed, on every split.

    Args:
        points: see `risbook.studies.label_curves.read_label_points`.
        methods: the methods of the study.
        seeds: the seeds of the study.
    """
    points, methods, seeds = list(points), list(methods), set(seeds)
    recorded = {(p.num_images, p.method, p.split): set(p.seeds) for p in points}
    splits = {point.split for point in points}
    return [
        amount
        for amount in sorted({point.num_images for point in points})
        if all(
            seeds <= recorded.get((amount, method, split), set())
            for method in methods
            for split in splits
        )
    ]


def describe_amounts(whole: Sequence[int], planned: Iterable[int]) -> str:
    """Say which amounts of data of a study are recorded, and which are open.

    >>> describe_amounts([125, 500], [125, 500, 2000])
    'Recorded in full: 125 and 500 images. Open: 2,000 images.'
    """
    rest = [amount for amount in planned if amount not in whole]
    parts = [f"Recorded in full: {_in_words(whole)}."]
    return " ".join(parts + ([f"Open: {_in_words(rest)}."] if rest else []))


def compare_with_rivals(
    points: Iterable[LabelPoint],
    method: str,
    *,
    rivals: Sequence[str],
    splits: Sequence[str],
    amounts: Sequence[int],
) -> list[LabelComparison]:
    """Compare a method with each of its rivals, paired by expression.

    Args:
        points: see `risbook.studies.label_curves.read_label_points`.
        method: the method.
        rivals: the others; those of one split and amount share the level of 0.05.
        splits: of the scores.
        amounts: numbers of training images, for instance those of `whole_amounts`.

    Returns:
        By split, then amount, then rival, in the given orders.

    Raises:
        DataError: a method has no point there.
    """
    by_place = {(p.method, p.num_images, p.split): p for p in points}

    def point(name: str, amount: int, split: str) -> LabelPoint:
        if (name, amount, split) not in by_place:
            raise DataError(f"no recorded point of {name!r} with {amount} images on {split!r}")
        return by_place[name, amount, split]

    comparisons = []
    for split in splits:
        for amount in amounts:
            first = point(method, amount, split)
            for rival in rivals:
                other = point(rival, amount, split)
                num_seeds = min(len(first.seeds), len(other.seeds))
                level = 1 - 0.05 / len(rivals)
                means = [part.ious.mean(axis=1).tolist() for part in (first, other)]
                comparisons.append(
                    LabelComparison(
                        method=method,
                        rival=rival,
                        num_images=amount,
                        split=split,
                        num_seeds=num_seeds,
                        difference=first.minus(other),
                        joint=first.minus(other, confidence=level),
                        group_size=len(rivals),
                        seeds_alone=difference_over_seeds(*means, confidence=level)
                        if num_seeds > 1
                        else None,
                    )
                )
    return comparisons


def _in_words(amounts: Sequence[int]) -> str:
    """Numbers of images as a list in words.

    >>> _in_words([125, 500, 2000]), _in_words([])
    ('125, 500 and 2,000 images', 'nothing')
    """
    if not amounts:
        return "nothing"
    texts = [f"{amount:,}" for amount in amounts]
    words = " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)
    return f"{words} images"
