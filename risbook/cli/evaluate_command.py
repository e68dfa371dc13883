"""``risbook evaluate``: mIoU, oIoU and Pr@ of a checkpoint on splits of a set."""

import argparse
import os
import sys
from pathlib import Path

from risbook.cli.arguments import (
    DATA_HELP,
    Commands,
    add_device,
    add_json,
    add_places,
    choose_device,
    not_negative,
    open_named,
    positive,
    print_json,
    print_table,
    probability,
)
from risbook.errors import RisbookError


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        "evaluate",
        help="score a checkpoint",
        description=(
            "Score a checkpoint at the pictures' own resolution: mIoU (mean over expressions), "
            "oIoU (all intersections over all unions) and Pr@X (share with an IoU above X), "
            "in percent."
        ),
    )
    command.add_argument(
        "checkpoint", help="a folder that `risbook train` wrote, or first-model, etris-mini"
    )
    command.add_argument(
        "--data", nargs="+", metavar="SET", help=f"{DATA_HELP} (default: what it was trained on)"
    )
    command.add_argument("--split", nargs="+", help="default: every split but train")
    add_places(command)
    command.add_argument("--batch", type=positive, default=32, help="default: %(default)s")
    command.add_argument(
        "--threshold", type=probability, default=0.35, help="probability of the mask (%(default)s)"
    )
    command.add_argument("--text", choices=("sent", "raw"), default="sent", help="default: sent")
    command.add_argument(
        "--limit", type=not_negative, default=0, metavar="N", help="expressions a split, 0 for all"
    )
    command.add_argument(
        "--out", type=Path, metavar="FILE", help="also write a result file (JSON) with its origin"
    )
    add_json(command)
    add_device(command)
    command.set_defaults(run=run)


def fill_in_data(options: argparse.Namespace) -> None:
    """Without ``--data``, take the sets that the checkpoint learned from, opened as it did.

    Raises:
        RisbookError: if the folder does not tell.
    """
    from risbook.systems.checkpoints import find_checkpoint
    from risbook.training import TrainingConfig

    if options.data:
        return
    record = find_checkpoint(options.checkpoint) / "training.json"
    if not record.is_file():
        raise RisbookError(f"{record}: not there; say with --data what to score on")
    learned = TrainingConfig.load(record)
    options.data = list(learned.data)
    options.partition = options.partition or learned.partition
    options.images = options.images or learned.images


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    from accelerate import Accelerator

    from risbook.evaluation import evaluate, write_result
    from risbook.systems import load_system

    if options.out and not options.out.parent.is_dir():
        raise RisbookError(f"{options.out.parent}: there is no such folder to write into")
    # Under `accelerate launch` every process scores its share, and the first one tells.
    accelerator = Accelerator() if int(os.environ.get("WORLD_SIZE", "1")) > 1 else None
    device = accelerator.device if accelerator else choose_device(options.device)
    system = load_system(options.checkpoint).to(device)
    fill_in_data(options)
    rows = []
    for name in options.data:
        data = open_named(options, name)
        for split in options.split or [s for s in data.expressions.splits if s != "train"]:
            scores = evaluate(
                system,
                data,
                split,
                batch_size=options.batch,
                threshold=options.threshold,
                text=options.text,
                limit=options.limit,
                accelerator=accelerator,
                show_progress=accelerator is None or accelerator.is_main_process,
            )
            rows.append({"set": data.name, "split": split, **scores.summary().as_dict()})
    if accelerator and not accelerator.is_main_process:
        return
    if options.out:
        write_result(
            options.out,
            rows,
            command=["risbook", *sys.argv[1:]],
            system=system,
            settings={
                name: getattr(options, name) for name in ("threshold", "text", "limit", "data")
            },
        )
    if options.json:
        print_json(rows)
        return
    measures = [key for key in rows[0] if key not in ("set", "split", "count")]
    print_table(
        ["set", "split", "expressions", *measures],
        [
            [
                str(row["set"]),
                str(row["split"]),
                str(row["count"]),
                *(f"{100 * float(row[measure]):.2f}" for measure in measures),
            ]
            for row in rows
        ],
    )
