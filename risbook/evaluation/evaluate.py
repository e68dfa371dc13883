"""From a model and data to the metrics, in one call."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from risbook.config import Precision
from risbook.data.catalog import separate_split
from risbook.data.expressions import Expression
from risbook.data.load_dataset import as_dataset
from risbook.data.referring_dataset import ReferringDataset
from risbook.errors import ArgumentError, DataError, warn_user
from risbook.evaluation.recorded_counts import counts_in_order
from risbook.evaluation.score_system import Protocol, score_system, take_evenly
from risbook.keyword_aliases import keyword_aliases
from risbook.metrics import Scores, as_masks
from risbook.progress_bar import progress_bar
from risbook.systems.checkpoints import load_system
from risbook.systems.network_system import NetworkSystem
from risbook.systems.postprocess import THRESHOLD
from risbook.systems.system import System

#: An image, uint8 (H, W, 3), and a sentence to a mask (H, W).
Segmenter = Callable[[npt.NDArray[np.uint8], str], Any]


class Metrics(dict[str, float]):
    """Metrics by the names that papers print; small and capital letters are the same.

    Attributes:
        ious: IoU of each expression, in the order of the data.
        image_ids: the image of each of them, see `paired_difference`.
        counts: pixels in intersection and union of each of them, int64 (N, 2).

    >>> Metrics({"mIoU": 0.5})["miou"]
    0.5
    """

    ious: list[float]
    image_ids: list[int]
    counts: npt.NDArray[np.int64]

    def __repr__(self) -> str:
        """The metrics with four decimals."""
        return ", ".join(f"{name} {round(value, 4)}" for name, value in self.items())

    def __missing__(self, name: str) -> float:
        for key, value in self.items():
            if key.lower() == str(name).lower():
                return value
        raise KeyError(f"{name!r}; there are {', '.join(self)}")


@keyword_aliases(
    {"dataset": "data", "max_samples": "limit", "num_samples": "limit", "verbose": "show_progress"},
    hints={"metrics": "all metrics are returned", "num_workers": "threads read the images ahead"},
    name="risbook.evaluate",
)
def evaluate(
    model: System | str | Path | Segmenter,
    data: Any,
    split: str | None = None,
    *,
    batch_size: int = 32,
    limit: int = 0,
    threshold: float = THRESHOLD,
    protocol: Protocol = "fast",
    precision: Precision = "no",
    device: str | torch.device | None = None,
    show_progress: bool = True,
) -> Metrics:
    """Score a model on a split, at the images' own resolution.

    Args:
        model: a model of `risbook.load`, or a name or folder that it takes; or any function of an
            image, uint8 (H, W, 3), and a sentence that returns a mask (H, W); or a network of your
            own that takes a batch as the data have it, images (B, 3, S, S) and B sentences, and
            returns logits (B, 1, h, w).
        data: what `risbook.data.load` returned or takes: a name, also with a split as
            "refscenes:testA", a folder, or samples of your own.
        split: a split of the data; None for that of the dataset, or "val".
        batch_size: expressions per forward pass; images are not divided where they fit into one.
        limit: score only so many expressions, taken evenly from the split; 0 for all.
        threshold: probability strictly above which a pixel belongs to the mask.
        protocol: "fast" computes what expressions of an image share once per image; "plain" takes
            one expression at a time, as the released test codes. Scores are the same up to
            rounding.
        precision: arithmetic of a system in the fast protocol: "no" is float32, so that scores do
            not depend on the machine; "auto" is half precision where the machine is faster with it.
        device: where the model is moved to; None for where it is.
        show_progress: show a progress bar.

    Returns:
        "count", "mIoU", "oIoU" and "Pr@0.5" to "Pr@0.9", the metrics from 0 to 1. Its attribute
        `ious` lists the IoU of each expression, in the order of the data, `image_ids` their images,
        and `counts` their pixels.

    Raises:
        DataError: if `model` is not a model, or there is no such data or split.
        ArgumentError: for an unknown protocol, or an arithmetic that it or the device lacks.
    """
    if protocol not in get_args(Protocol):
        raise ArgumentError(f"protocol is {protocol!r}; choose {' or '.join(get_args(Protocol))}")
    dataset = as_eval_dataset(data, split)
    model = as_predictor(model, image_size=dataset.image_size)
    if isinstance(model, System):
        scores = score_system(
            model if device is None else model.to(device),
            dataset,
            batch_size=batch_size,
            limit=limit,
            threshold=threshold,
            protocol=protocol,
            precision=precision,
            show_progress=show_progress,
        )
    else:
        scores = _score_segmenter(model, dataset, limit=limit, show_progress=show_progress)
    metrics = Metrics(scores.summary().as_dict())
    ious = scores.ious()
    expressions = take_evenly(dataset.expressions, limit)
    metrics.ious = [ious[expression.sent_id] for expression in expressions]
    metrics.image_ids = [expression.image_id for expression in expressions]
    metrics.counts = counts_in_order(scores, expressions)
    if _predictions_are_empty(scores, dataset, expressions):
        is_system = isinstance(model, System)
        reason = f": no probability is above the threshold {threshold:g}" if is_system else ""
        warn_user(f"all {len(scores)} predicted masks are empty{reason}")
    return metrics


def as_eval_dataset(data: Any, split: str | None = None) -> ReferringDataset:
    """What `evaluate` takes as data, as a dataset: a name without a split means "val"."""
    if isinstance(data, str | Path):
        data, split = separate_split(data, split)
        split = split or "val"
    return as_dataset(data, split)


def as_predictor(model: Any, *, image_size: int) -> System | Segmenter:
    """What `evaluate` takes as a model, as a system or as a function of an image and a sentence.

    Args:
        model: see `evaluate`.
        image_size: side S of the letterboxed square for a network of your own, pixels.

    Raises:
        DataError: if `model` is no model.
    """
    if isinstance(model, str | Path):
        return load_system(model)
    if isinstance(model, nn.Module) and not isinstance(model, System):
        return NetworkSystem(model, image_size=image_size)
    if not callable(model):
        raise DataError(
            f"evaluate takes a model, for instance risbook.load('etris-mini'), or a function "
            f"(image, text) -> mask, not {model!r:.60}"
        )
    predictor: System | Segmenter = model
    return predictor


def _score_segmenter(
    segmenter: Segmenter, dataset: ReferringDataset, *, limit: int, show_progress: bool
) -> Scores:
    scores = Scores()
    expressions = take_evenly(dataset.expressions, limit)
    with progress_bar(
        show=show_progress, total=len(expressions), desc=dataset.name, unit="expression"
    ) as bar:
        for expression in expressions:
            image = dataset.data.image(expression)
            mask = predict_one_mask(segmenter, image, expression.text(dataset.text_kind))
            scores.add(expression.sent_id, mask, dataset.data.mask(expression))
            bar.update(1)
    return scores


def _predictions_are_empty(
    scores: Scores, dataset: ReferringDataset, expressions: Sequence[Expression]
) -> bool:
    """Whether each union is the annotated mask alone."""
    by_id = {expression.sent_id: expression for expression in expressions}
    return all(
        inter == 0 and union == np.count_nonzero(dataset.data.mask(by_id[sent_id]))
        for sent_id, inter, union in scores
    )


def predict_one_mask(
    predictor: System | Segmenter, image: npt.NDArray[np.uint8], sentence: str
) -> npt.NDArray[np.bool_]:
    """The mask (H, W) that the result of `as_predictor` gives for an image and a sentence.

    Raises:
        DataError: if a function returns something else than one mask.
    """
    if isinstance(predictor, System):
        mask: npt.NDArray[np.bool_] = predictor.predict(image, sentence)
        return mask
    masks = as_masks("mask", predictor(image, sentence))
    if len(masks) != 1:
        raise DataError(f"the function returned {len(masks)} masks for one sentence")
    return masks[0]
