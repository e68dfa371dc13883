"""The evaluation that every number of the book comes from.

Every expression of a split is one case. The mask is predicted at the system's own size, brought
back to the image's own resolution and compared there with the annotated mask, as the test code of
CRIS (Wang et al., 2022), ETRIS (Xu et al., 2023), DETRIS (Huang et al., 2025) and MiCA (Li et al.,
2026) does: float32, sigmoid, bicubic, inverse letterbox, threshold strictly above 0.35.

There are two protocols with the same scores up to rounding:

- "plain" is that test code: one expression at a time, in float32.
- "fast" takes all expressions of an image together, and several images per forward pass. Each
  distinct sentence is encoded once if no image changes the text tower. What depends on the image
  alone is computed once per image, see `System.shares_images`. Threads read images and masks, and
  masks are resized and counted for all expressions of an image at once.

Both compute in float32 on every machine, convolutions on a GPU included, unless the fast one is
asked for half precision, which moves scores by more than rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from numpy.typing import NDArray
from torch import Tensor

from risbook.config import Precision
from risbook.data.dataset import ReferData
from risbook.data.expressions import Expression, TextKind
from risbook.data.letterbox import Letterbox, normalise
from risbook.data.referring_dataset import ReferringDataset
from risbook.errors import ArgumentError
from risbook.evaluation.image_batches import (
    LoadedImage,
    group_by_image,
    load_batches,
    pack_batches,
)
from risbook.evaluation.pair_encoder import PairEncoder
from risbook.evaluation.pixel_counts import count_pixels
from risbook.layers.precision import without_tf32
from risbook.metrics import Scores
from risbook.progress_bar import progress_bar
from risbook.systems.inference import compute_logits
from risbook.systems.postprocess import THRESHOLD, predict_mask
from risbook.systems.system import System

#: how a split is scored
Protocol = Literal["fast", "plain"]


@dataclass(frozen=True, slots=True)
class ScoredPrediction:
    """A predicted mask beside the annotated one.

    Args:
        expression: the expression.
        mask: predicted mask at the image's own resolution, bool (H, W).
        truth: annotated mask, bool (H, W).
        logits: the system's output, float32 (S / s, S / s) at its decoder's stride s.
    """

    expression: Expression
    mask: NDArray[np.bool_]
    truth: NDArray[np.bool_]
    logits: Tensor

    @property
    def iou(self) -> float:
        """Intersection over union; 0 where both are empty."""
        union = int((self.mask | self.truth).sum())
        return int((self.mask & self.truth).sum()) / union if union else 0.0


def predict_batch(
    system: System,
    data: ReferData,
    expressions: Sequence[Expression],
    *,
    threshold: float = THRESHOLD,
    text_kind: TextKind = "sent",
) -> list[ScoredPrediction]:
    """Predict the masks of expressions in one forward pass.

    Args:
        system: the system; it is used in evaluation mode, and its mode is restored.
        data: the set that the expressions come from.
        expressions: B expressions; those of one image should follow each other.
        threshold: probability strictly above which a pixel belongs to the mask.
        text_kind: "sent" or "raw".

    Returns:
        One prediction per expression, in the same order.
    """
    letterboxes: list[Letterbox] = []
    images: list[Tensor] = []
    last_id: int | None = None
    for expression in expressions:
        letterbox = Letterbox(
            height=expression.height, width=expression.width, size=system.image_size
        )
        letterboxes.append(letterbox)
        if expression.image_id == last_id:
            images.append(images[-1])
        else:
            images.append(torch.from_numpy(normalise(letterbox.image(data.image(expression)))))
            last_id = expression.image_id
    sentences = [expression.text(text_kind) for expression in expressions]
    logits = compute_logits(system, torch.stack(images), sentences)
    return [
        ScoredPrediction(
            expression=expression,
            mask=predict_mask(logit[0], letterbox, threshold=threshold),
            truth=data.mask(expression),
            logits=logit[0],
        )
        for expression, letterbox, logit in zip(expressions, letterboxes, logits, strict=True)
    ]


@without_tf32()
def score_system(
    system: System,
    dataset: ReferringDataset,
    *,
    batch_size: int = 32,
    threshold: float = THRESHOLD,
    limit: int = 0,
    protocol: Protocol = "fast",
    precision: Precision = "no",
    accelerator: Accelerator | None = None,
    show_progress: bool = True,
) -> Scores:
    """Score a system on every expression of a split.

    Args:
        system: the system.
        dataset: the split; its image size does not matter, the system has one of its own.
        batch_size: expressions per forward pass; "plain" has one.
        threshold: probability strictly above which a pixel belongs to the mask.
        limit: score only so many expressions, taken evenly from the whole split; 0 for all.
        protocol: "fast", or "plain" for one expression at a time.
        precision: arithmetic of the network in the fast protocol; "no" is float32, "auto" is half
            precision where the machine is faster with it. "plain" has float32 alone.
        accelerator: shares the expressions among its processes; every process then returns the
            scores of all of them, each expression counted once.
        show_progress: show a progress bar.

    Returns:
        The counts of every expression; `.summary()` gives mIoU, oIoU and Pr@.

    Raises:
        ArgumentError: for half precision in the plain protocol, or an arithmetic that the device
            lacks.
    """
    if protocol == "plain" and precision != "no":
        raise ArgumentError(f"precision {precision} needs the fast protocol; plain is in float32")
    groups = group_by_image(take_evenly(dataset.expressions, limit))
    if accelerator is not None and accelerator.num_processes > 1:
        groups = groups[accelerator.process_index :: accelerator.num_processes]
    expressions = [expression for group in groups for expression in group]
    scores = Scores()
    name, total = f"{dataset.name} {dataset.split}", len(expressions)
    with progress_bar(show=show_progress, total=total, desc=name, unit="expression") as bar:
        if protocol == "plain":
            for expression in expressions:
                (prediction,) = predict_batch(
                    system,
                    dataset.data,
                    [expression],
                    threshold=threshold,
                    text_kind=dataset.text_kind,
                )
                scores.add(expression.sent_id, prediction.mask, prediction.truth)
                bar.update(1)
        elif expressions:  # a process may have none
            encoder = PairEncoder(
                system, [row.text(dataset.text_kind) for row in expressions], precision=precision
            )
            batches = pack_batches(groups, batch_size)
            for images in load_batches(dataset.data, batches, size=system.image_size):
                counts = count_batch(encoder, images, dataset.text_kind, threshold=threshold)
                ids = [row.sent_id for image in images for row in image.expressions]
                scores.add_counts(ids, *counts.T.tolist())
                bar.update(len(ids))
    if accelerator is not None and accelerator.num_processes > 1:
        return scores.gathered(gather_object)
    return scores


def count_batch(
    encoder: PairEncoder, images: Sequence[LoadedImage], text_kind: TextKind, *, threshold: float
) -> Tensor:
    """Pixels in intersection and union for all expressions of some images, int64 (B, 2)."""
    counts = [len(image.expressions) for image in images]
    logits = encoder.logits(
        torch.stack([image.image for image in images]),
        [row.text(text_kind) for image in images for row in image.expressions],
        torch.repeat_interleave(torch.tensor(counts)),
    )
    rows = []
    for image, image_logits in zip(images, torch.split(logits[:, 0], counts), strict=True):
        truths = image.truths.to(logits.device)
        rows.append(count_pixels(image_logits, image.letterbox, truths, threshold=threshold))
    return torch.cat(rows).cpu()


def take_evenly(expressions: Sequence[Expression], limit: int) -> list[Expression]:
    """At most `limit` expressions, taken evenly from all of them; 0 for all."""
    count = len(expressions)
    if not limit or limit >= count:
        return list(expressions)
    return [expressions[index * count // limit] for index in range(limit)]
