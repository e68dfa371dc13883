"""How fast a split is scored: one expression at a time, and all expressions of an image together.

Both protocols score the same expressions, one after the other, in one process.
"""

from dataclasses import dataclass

import torch

from risbook.benchmarks.bench_system import Weights, build_bench_system
from risbook.benchmarks.stopwatch import measure_duration
from risbook.config import Precision
from risbook.data import ReferringDataset
from risbook.evaluation.score_system import Protocol, score_system
from risbook.layers.precision import choose_precision
from risbook.metrics import Scores
from risbook.systems.inference import compute_logits
from risbook.systems.postprocess import THRESHOLD
from risbook.systems.system import System


@dataclass(frozen=True)
class EvaluationSpeed:
    """The measured speed of both protocols.

    Args:
        system: the preset's name.
        weights: see `bench_system.EXPLANATIONS`.
        count: expressions.
        images: images that they are about.
        precision: the arithmetic of the fast protocol, "no" for float32.
        threshold: the probability that was used, see `measure_evaluation`.
        plain: expressions per second, one at a time.
        fast: expressions per second, together.
        miou_difference: mIoU of the fast protocol minus that of the plain one, in points.
        largest_difference: of the IoU of a single expression, in points, without a sign.
    """

    system: str
    weights: Weights
    count: int
    images: int
    precision: str
    threshold: float
    plain: float
    fast: float
    miou_difference: float
    largest_difference: float

    @property
    def ratio(self) -> float:
        """How many times as fast the fast protocol is."""
        return self.fast / self.plain


def measure_evaluation(
    name: str,
    dataset: ReferringDataset,
    *,
    device: torch.device,
    batch_size: int = 32,
    precision: Precision = "no",
) -> EvaluationSpeed:
    """Score the expressions of a dataset by both protocols.

    Seconds are those of `Duration.seconds`: on a CPU processor seconds per thread, in which other
    programs do not count. Reading images takes part, also where several threads read ahead. With
    weights that mean nothing, all probabilities would lie on one side of the usual threshold, and
    the scores of any two protocols would be equal. The threshold is then the median probability of
    the first expression.

    Args:
        name: a preset's name.
        dataset: the expressions.
        device: where the system computes.
        batch_size: expressions per forward pass of the fast protocol.
        precision: arithmetic of the fast protocol.

    Raises:
        ArgumentError: if there is no such preset, or for an arithmetic that the device lacks.
    """
    chosen = choose_precision(precision, device)
    bench = build_bench_system(name)
    system = bench.system.to(device)
    threshold = THRESHOLD if bench.weights == "trained" else median_probability(system, dataset)

    def score(protocol: Protocol, data: ReferringDataset) -> Scores:
        return score_system(
            system,
            data,
            batch_size=batch_size,
            threshold=threshold,
            protocol=protocol,
            precision=chosen if protocol == "fast" else "no",
            show_progress=False,
        )

    scores: dict[Protocol, Scores] = {}
    rates: dict[Protocol, float] = {}
    protocols: tuple[Protocol, ...] = ("plain", "fast")
    for protocol in protocols:
        score(protocol, dataset[:1])  # the first pass is slower

        def run(protocol: Protocol = protocol) -> None:
            scores[protocol] = score(protocol, dataset)

        rates[protocol] = len(dataset) / measure_duration(run, device).seconds(device)
    plain, fast = (scores[protocol].ious() for protocol in protocols)
    difference = scores["fast"].summary().miou - scores["plain"].summary().miou
    return EvaluationSpeed(
        system=name,
        weights=bench.weights,
        count=len(dataset),
        images=len({expression.image_id for expression in dataset.expressions}),
        precision=chosen,
        threshold=threshold,
        plain=rates["plain"],
        fast=rates["fast"],
        miou_difference=100 * difference,
        largest_difference=100 * max(abs(fast[key] - plain[key]) for key in plain),
    )


def median_probability(system: System, dataset: ReferringDataset) -> float:
    """The median of the probabilities that a system gives for the first expression."""
    item = dataset.changed(image_size=system.image_size)[0]
    logits = compute_logits(system, item["image"][None], [item["text"]])
    return float(logits.sigmoid().median())
