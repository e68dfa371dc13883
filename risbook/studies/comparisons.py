"""Which recorded runs are compared with which, and what the differences decide.

Each suite has a reference: all its other runs are compared with this one, on every split, at the
same number of training images. Where a suite tries several learning rates, each method takes part
with the rate that has the highest mIoU with seed 0 on the first split, which studies call val.

The comparisons of one suite, split and number of images belong together. A difference is called
*higher* or *lower* only if an interval that holds for all of them at once leaves out 0 (Bonferroni:
each at a level of 0.05 divided by their number). Where images and seeds are drawn again, the
interval of the seeds alone has to leave out 0 as well: three seeds that are drawn with replacement
understate how far seeds differ.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from risbook.studies.recorded_runs import RecordedRun
from risbook.studies.seed_intervals import Interval, difference_over_seeds

#: With fewer seeds a difference is undecided.
MIN_SEEDS = 3

#: suite -> the method that its other runs are compared with
REFERENCES: Mapping[str, str] = {
    "adapter-methods": "frozen",
    "etris-modules": "all",
    "etris-pet": "frozen",
    "etris-rates": "frozen",
    "etris-zoom": "deconv",
    "few-labels": "frozen",
    "few-labels-rates": "frozen",
    "first-model-ablations": "full",
    "systems": "frozen",
}

#: numbers of seeds in words
NUMBER_WORDS = {1: "one seed", 2: "two seeds"}


class HasEnds(Protocol):
    """An interval of any kind."""

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


def decide(difference: float, num_seeds: int, *intervals: HasEnds | None) -> str:
    """The verdict on a difference: higher or lower if every interval leaves out 0.

    Args:
        difference: the difference of two means.
        num_seeds: seeds of the one that has fewer.
        intervals: all have to leave out 0; None for one that cannot be computed.

    >>> decide(0.4, 2)
    'two seeds: undecided'
    """
    if num_seeds < MIN_SEEDS:
        return f"{NUMBER_WORDS[num_seeds]}: undecided"
    if any(interval is None or interval.low <= 0 <= interval.high for interval in intervals):
        return "undecided"
    return "higher" if difference > 0 else "lower"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run minus the reference of its suite, in points of mIoU.

    Args:
        run: the run.
        reference: what is subtracted.
        split: as "set:split".
        difference: of the means.
        interval: of 95 % for this difference alone; None with one seed.
        joint: the interval that holds for all comparisons of its group at once.
        group_size: how many these are.
        seeds_alone: the joint interval by Student's t over the seeds; None where `joint` is.
    """

    run: RecordedRun
    reference: RecordedRun
    split: str
    difference: float
    interval: Interval | None
    joint: Interval | None
    group_size: int
    seeds_alone: Interval | None = None

    @property
    def num_seeds(self) -> int:
        """Seeds of the run that has fewer."""
        return min(len(part.scores[self.split].miou) for part in (self.run, self.reference))

    @property
    def verdict(self) -> str:
        """What the difference decides, in a word or two."""
        return decide(self.difference, self.num_seeds, self.joint, self.seeds_alone)


def compare_runs(runs: Sequence[RecordedRun]) -> list[Comparison]:
    """Compare the runs of a suite with its reference; empty where there is no reference yet."""
    selected = list(_best_rates(runs))
    comparisons: list[Comparison] = []
    for _, members in groupby(sorted(selected, key=_amount), key=_amount):
        group = list(members)
        references = [run for run in group if run.method == REFERENCES.get(run.suite)]
        for reference in references[:1]:
            others = [run for run in group if run is not reference]
            for split in reference.scores:
                comparisons += _compare_on_split(others, reference, split)
    return comparisons


def _compare_on_split(
    runs: Sequence[RecordedRun], reference: RecordedRun, split: str
) -> Iterator[Comparison]:
    scored = [run for run in runs if split in run.scores]
    target = reference.scores[split]
    repeated = [run for run in scored if min(_seeds(run, split), _seeds(reference, split)) > 1]
    decidable = [
        run for run in repeated if min(_seeds(run, split), _seeds(reference, split)) >= MIN_SEEDS
    ]
    for run in scored:
        score = run.scores[split]
        interval = score.minus(target) if run in repeated else None
        joint = seeds_alone = None
        if run in decidable:
            level = 1 - 0.05 / len(decidable)
            joint = score.minus(target, confidence=level)
            seeds_alone = difference_over_seeds(score.miou, target.miou, confidence=level)
        difference = score.mean - target.mean
        yield Comparison(
            run, reference, split, difference, interval, joint, len(decidable), seeds_alone
        )


def rates_at_an_edge(runs: Sequence[RecordedRun]) -> list[str]:
    """Keys of best runs whose rate is the lowest or highest tried: a better one may lie beyond."""
    at_edge = []
    for best in _best_rates(runs):
        same = [run for run in runs if run.method == best.method]
        rates = [run.learning_rate or 0.0 for run in same]
        if best.has_rate and best.learning_rate in (min(rates), max(rates)):
            at_edge.append(best.key)
    return at_edge


def _best_rates(runs: Sequence[RecordedRun]) -> Iterator[RecordedRun]:
    """Runs without a rate in their key, and of each method the run at its best rate."""
    best: dict[str, RecordedRun] = {}
    for run in runs:
        if not run.has_rate:
            yield run
        elif 0 in run.seeds:
            rival = best.get(run.method)
            if rival is None or _score_of_seed_0(run) > _score_of_seed_0(rival):
                best[run.method] = run
    yield from best.values()


def _score_of_seed_0(run: RecordedRun) -> float:
    score = next(iter(run.scores.values()))
    return score.miou[run.seeds.index(0)]


def _seeds(run: RecordedRun, split: str) -> int:
    return len(run.scores[split].miou)


def _amount(run: RecordedRun) -> int:
    return run.num_images or 0
