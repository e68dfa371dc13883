"""``risbook evaluate``: mIoU, oIoU and Pr@ of a checkpoint on splits of a set."""

import os
import sys
from pathlib import Path
from typing import Any, Literal

from risbook.cli.shared import check_parent, choose_device, print_json, print_table
from risbook.config import Count, Precision, Probability, Size
from risbook.errors import RisbookError


def evaluate(
    checkpoint: str,
    *,
    data: tuple[str, ...] = (),
    splits: tuple[str, ...] = (),
    partition: str | None = None,
    images: str | None = None,
    batch_size: Size = 32,
    threshold: Probability = 0.35,
    text_kind: Literal["sent", "raw"] = "sent",
    limit: Count = 0,
    protocol: Literal["fast", "plain"] = "fast",
    precision: Precision = "no",
    out: Path | None = None,
    per_expression: bool = False,
    json: bool = False,
    device: str = "",
) -> None:
    """Score a checkpoint at the images' own resolution.

    Printed in percent: mIoU (mean over expressions), oIoU (all intersections over all unions) and
    Pr@X (share of expressions with an IoU above X).

    Args:
        checkpoint: a folder that risbook train wrote, first-model, etris-mini, detris-mini,
            detris-s, mica-mini, or owner/name of the Hugging Face Hub.
        data: sets, by name or folder (default: what it was trained on).
        splits: default: every split but train.
        partition: unc, google or umd (default: unc or umd).
        images: folder of images (default: beside the sets).
        batch_size: samples per batch.
        threshold: probability above which a pixel belongs to the mask.
        text_kind: the cleaned sentence or the raw one.
        limit: expressions per split, 0 for all.
        protocol: fast, or plain for one expression at a time; scores are the same up to rounding.
        precision: arithmetic of the fast protocol: no (float32), bf16, fp16, or auto for the
            fastest of the machine; all but no change scores by more than rounding.
        out: also write a result file (JSON) with its origin.
        per_expression: keep in the result file the pixels of every expression, from which any
            metric follows, see `risbook.evaluation.read_counts`.
        json: print JSON instead of a table.
        device: cpu, cuda, cuda:1, ... (default: a GPU if there is one).
    """
    from accelerate import Accelerator

    from risbook.data import ReferringDataset, open_data
    from risbook.evaluation import score_system, write_result
    from risbook.evaluation.packed_scores import pack_counts
    from risbook.evaluation.recorded_counts import counts_in_order
    from risbook.evaluation.score_system import take_evenly
    from risbook.layers.precision import choose_precision
    from risbook.systems import load_system

    if per_expression and not out:
        raise RisbookError("--per-expression: say with --out where the result file goes")
    if out:
        check_parent(out)
    # Under `accelerate launch` every process scores its share, and the first one prints.
    accelerator = Accelerator() if int(os.environ.get("WORLD_SIZE", "1")) > 1 else None
    system = load_system(checkpoint).to(
        accelerator.device if accelerator else choose_device(device)
    )
    if not data:
        data, partition, images = training_data(checkpoint, partition, images)
    rows: list[dict[str, Any]] = []
    for name in data:
        source = open_data(name, partition=partition, images=images)
        for split in splits or [s for s in source.expressions.splits if s != "train"]:
            scores = score_system(
                system,
                ReferringDataset(source, split=split, text_kind=text_kind),
                batch_size=batch_size,
                threshold=threshold,
                limit=limit,
                protocol=protocol,
                precision=precision,
                accelerator=accelerator,
                show_progress=accelerator is None or accelerator.is_main_process,
            )
            row: dict[str, Any] = {"set": source.name, "split": split}
            row |= scores.summary().as_dict()
            if per_expression:
                expressions = take_evenly(source.expressions.split(split), limit)
                row["counts"] = pack_counts(counts_in_order(scores, expressions))
            rows.append(row)
    if accelerator and not accelerator.is_main_process:
        return
    if out:
        settings = {
            "threshold": threshold,
            "text": text_kind,
            "limit": limit,
            "protocol": protocol,
            "precision": choose_precision(precision, next(system.parameters()).device),
            "data": list(data),
        }
        command = ["risbook", *sys.argv[1:]]
        write_result(out, rows, command=command, system=system, settings=settings)
    if json:
        print_json(rows)
        return
    table = []
    for row in rows:
        row.pop("counts", None)
        labels = {"set": row.pop("set"), "split": row.pop("split"), "expressions": row.pop("count")}
        table.append(labels | {name: f"{100 * value:.2f}" for name, value in row.items()})
    print_table(table)


def training_data(
    checkpoint: str, partition: str | None, images: str | None
) -> tuple[tuple[str, ...], str | None, str | None]:
    """The sets that a checkpoint learned from, and how they are opened where nobody says.

    Raises:
        RisbookError: if the folder does not tell.
    """
    from risbook.systems.checkpoints import find_checkpoint
    from risbook.training import TrainingConfig

    record = find_checkpoint(checkpoint) / "training.json"
    if not record.is_file():
        raise RisbookError(f"{record}: not there; say with --data what to score on")
    config = TrainingConfig.load(record)
    return config.data, partition or config.partition or None, images or config.image_folder or None
