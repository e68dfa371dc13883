"""``risbook train``: train a system and leave a checkpoint."""

import argparse
import json
import os
from pathlib import Path
from typing import Any

from risbook.cli.arguments import DATA_HELP, Commands, add_places
from risbook.errors import RisbookError

EPILOG = """\
for example:
  risbook train first-model --data refscenes refscenes+ refscenesg --steps 10000 --out runs/first
  risbook train first-model --data path/to/refcoco --split testA testB --out runs/overfit
  accelerate launch -m risbook train first-model ...          several GPUs

The run can be killed at any moment: the same command with --resume goes on from the last state
in --out, on a CPU to exactly the same weights.
"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        "train",
        help="train a system",
        description="Train a system on one or several sets and leave a checkpoint.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("system", help="its name; `risbook params` lists them")
    command.add_argument("--data", nargs="+", required=True, metavar="SET", help=DATA_HELP)
    command.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the run")
    command.add_argument("--split", nargs="+", default=["train"], help="default: train")
    add_places(command)
    command.add_argument("--steps", type=int, default=1000, help="optimiser steps (%(default)s)")
    command.add_argument("--batch", type=int, default=32, help="samples a step (%(default)s)")
    command.add_argument("--learning-rate", type=float, default=1e-3, help="peak (%(default)s)")
    command.add_argument("--warmup", type=int, default=100, help="warm-up steps (%(default)s)")
    command.add_argument("--seed", type=int, default=0, help="default: 0")
    command.add_argument(
        "--precision",
        choices=("auto", "no", "bf16", "fp16"),
        default="auto",
        help="arithmetic; auto: 16 bit where the machine is fast at it",
    )
    command.add_argument("--text", choices=("sent", "raw"), default="sent", help="default: sent")
    command.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="change the system's configuration, for instance image_size=256",
    )
    command.add_argument(
        "--validate-on", nargs="+", default=[], metavar="SET:SPLIT", help="evaluate while training"
    )
    command.add_argument("--validate-every", type=int, default=1000, metavar="STEPS")
    command.add_argument(
        "--validate-limit", type=int, default=0, metavar="N", help="expressions, 0 for all"
    )
    command.add_argument("--checkpoint-every", type=int, default=500, metavar="STEPS")
    command.add_argument("--log-every", type=int, default=20, metavar="STEPS")
    command.add_argument("--workers", type=int, default=0, help="loader processes (%(default)s)")
    command.add_argument(
        "--no-keep-images",
        action="store_true",
        help="read images anew each time instead of keeping them in memory",
    )
    command.add_argument("--resume", action="store_true", help="go on with the run in --out")
    command.set_defaults(run=run)


def read_changes(words: list[str]) -> dict[str, Any]:
    """Read ``name=value`` words; a value is read as JSON where it is JSON.

    >>> read_changes(["image_size=256", "name=abc"])
    {'image_size': 256, 'name': 'abc'}
    """
    changes: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise RisbookError(f"--set {word}: write it as NAME=VALUE, for instance image_size=256")
        try:
            changes[name] = json.loads(value)
        except ValueError:
            changes[name] = value
    return changes


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    from risbook.training import TrainingConfig, train

    config = TrainingConfig(
        system=options.system,
        data=tuple(options.data),
        splits=tuple(options.split),
        partition=options.partition,
        images=options.images,
        changes=read_changes(options.set),
        steps=options.steps,
        batch=options.batch,
        learning_rate=options.learning_rate,
        warmup=options.warmup,
        seed=options.seed,
        precision=options.precision,
        text=options.text,
        validate_on=tuple(options.validate_on),
        validate_every=options.validate_every,
        validate_limit=options.validate_limit,
        checkpoint_every=options.checkpoint_every,
        log_every=options.log_every,
        keep_images=not options.no_keep_images,
        workers=options.workers,
    )
    train(config, options.out, resume=options.resume)
    if int(os.environ.get("RANK", "0")) == 0:
        print(f"checkpoint: {options.out}")
