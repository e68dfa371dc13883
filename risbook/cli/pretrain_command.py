"""``risbook pretrain``: make the book's small towers from nothing."""

import argparse
from pathlib import Path

from risbook.cli.arguments import Commands, add_device, choose_device

EPILOG = """\
for example:
  risbook pretrain clip-mini --out runs/clip-mini
  risbook pretrain clip-mini-rn --text runs/clip-mini/clip-mini-text --out runs/clip-mini-rn
  risbook pretrain dinov2-mini --out runs/dinov2-mini --resume

Only training pictures, captions and expressions of the drawn world are looked at. Each tower ends
in a folder of its own in --out, with its card; the run can be killed and resumed.
"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        "pretrain",
        help="pretrain a small tower on the drawn world",
        description="Pretrain one of the small towers that come with the book, and measure it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("recipe", help="clip-mini, clip-mini-rn or dinov2-mini")
    command.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the run")
    command.add_argument("--steps", type=int, help="optimiser steps; default: the recipe's")
    command.add_argument("--seed", type=int, help="default: 0")
    command.add_argument(
        "--precision", choices=("auto", "no", "bf16", "fp16"), help="arithmetic; default: auto"
    )
    command.add_argument(
        "--text",
        type=Path,
        metavar="FOLDER",
        help="clip-mini-rn only: the text tower to meet; default: the one that is shipped",
    )
    add_device(command)
    command.add_argument("--resume", action="store_true", help="go on from the state in --out")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    from risbook.data import open_data
    from risbook.pretraining import SETS, run_recipe

    changes = {
        name: getattr(options, name)
        for name in ("steps", "seed", "precision")
        if getattr(options, name) is not None
    }
    folders = run_recipe(
        options.recipe,
        [open_data(name) for name in SETS],
        options.out,
        device=choose_device(options.device),
        resume=options.resume,
        text=options.text or "auto",
        overrides=changes,
    )
    for folder in folders:
        print(f"{folder / 'README.md'}: the card of {folder.name}")
