"""``risbook train``: train a system and leave a checkpoint."""

import argparse
import os
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from risbook.cli.arguments import DATA_HELP, Commands, add_places, read_changes
from risbook.errors import RisbookError

if TYPE_CHECKING:
    from risbook.training import TrainingConfig

EPILOG = """\
for example:
  risbook train etris-mini                 as the checkpoint that comes with the package
  risbook train first-model --data refscenes refscenes+ refscenesg --steps 10000 --out runs/first
  risbook train first-model --data path/to/refcoco --split testA testB --out runs/overfit
  risbook train etris-rn50 --data path/to/refcoco --schedule milestones --learning-rate 1e-4 \\
      --steps 66250                        as ETRIS was released: 50 epochs of 42,404 objects
  risbook train etris-vitb16 --data path/to/refcoco --schedule milestones --learning-rate 1e-4 \\
      --steps 66250 --lr-multipliers bridgers=10    as its paper says for the transformer
  accelerate launch -m risbook train first-model ...          several GPUs

Without --data a system that comes with the package is trained as its checkpoint was; options given
beside it change that run.

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
    command.add_argument("--data", nargs="+", metavar="SET", help=DATA_HELP)
    command.add_argument(
        "--out", type=Path, metavar="FOLDER", help="the run (default: runs/ and the system's name)"
    )
    command.add_argument("--split", nargs="+", dest="splits", help="default: train")
    add_places(command)
    command.add_argument("--steps", type=int, help="optimiser steps (1000)")
    command.add_argument("--batch-size", type=int, help="samples per step (32)")
    command.add_argument("--learning-rate", type=float, help="peak (0.001)")
    command.add_argument(
        "--lr-multipliers",
        nargs="+",
        metavar="GROUP=TIMES",
        help=(
            "learning rates of groups, as multiples of the others', for instance bridgers=10; with "
            "milestones from the second epoch on, as released"
        ),
    )
    command.add_argument(
        "--schedule",
        choices=("cosine", "milestones"),
        help=(
            "cosine: warm-up, then down to zero; milestones: as ETRIS was released, no warm-up, "
            "constant, a tenth from 70 %% of the epochs on (cosine)"
        ),
    )
    command.add_argument("--warmup", type=int, help="warm-up steps of the cosine (100)")
    command.add_argument("--seed", type=int, help="default: 0")
    command.add_argument(
        "--precision",
        choices=("auto", "no", "bf16", "fp16"),
        help="arithmetic; auto: 16 bit where the machine is fast at it (auto)",
    )
    command.add_argument("--text", choices=("sent", "raw"), help="default: sent")
    command.add_argument(
        "--set",
        nargs="+",
        metavar="NAME=VALUE",
        help="change the system's configuration, for instance image_size=256",
    )
    command.add_argument(
        "--eval-splits", nargs="+", metavar="SET:SPLIT", help="evaluate while training"
    )
    command.add_argument("--eval-every", type=int, metavar="STEPS", help="default: 1000")
    command.add_argument("--eval-limit", type=int, metavar="N", help="expressions, 0 for all (0)")
    command.add_argument("--checkpoint-every", type=int, metavar="STEPS", help="default: 500")
    command.add_argument("--log-every", type=int, metavar="STEPS", help="default: 20")
    command.add_argument("--num-workers", type=int, help="loader processes (0)")
    command.add_argument(
        "--no-cache-images",
        action="store_const",
        const=False,
        dest="cache_images",
        help="read images anew each time instead of keeping them in memory",
    )
    command.add_argument("--resume", action="store_true", help="go on with the run in --out")
    command.set_defaults(run=run)


def read_config(options: argparse.Namespace) -> "TrainingConfig":
    """The run that the options describe; what they leave open is the default's.

    The defaults are those of `TrainingConfig`, and without ``--data`` those of the run that made
    the checkpoint of that name.

    Raises:
        RisbookError: without ``--data`` for a system of which no checkpoint comes along.
    """
    from risbook.systems.system_presets import SHIPPED, system_preset
    from risbook.training import TrainingConfig

    system_preset(options.system)  # a name that does not exist is the first thing to say
    given: dict[str, Any] = {
        entry.name: tuple(value) if isinstance(value, list) else value
        for entry in fields(TrainingConfig)
        if (value := getattr(options, entry.name, None)) not in (None, "")
    }
    if options.set is not None:
        given["overrides"] = read_changes(options.set)
    if options.lr_multipliers is not None:
        given["lr_multipliers"] = read_changes(options.lr_multipliers)
    if options.data:
        return TrainingConfig(**given)
    recorded = SHIPPED / options.system / "training.json"
    if not recorded.is_file():
        raise RisbookError(
            f"{options.system}: say with --data what to train on, for instance --data refscenes"
        )
    config = TrainingConfig.load(recorded)
    if "overrides" in given:
        given["overrides"] = {**config.overrides, **given["overrides"]}
    return replace(config, **given)


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    from risbook.training import train_system

    config = read_config(options)
    out = options.out or Path("runs") / config.system
    train_system(config, out, resume=options.resume)
    if int(os.environ.get("RANK", "0")) == 0:
        print(f"checkpoint: {out}")
