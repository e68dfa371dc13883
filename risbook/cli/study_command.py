"""``risbook study``: run a comparison, or go on with it."""

import argparse
from pathlib import Path

from risbook.cli.arguments import Commands, print_table
from risbook.errors import RisbookError

EPILOG = """\
for example:
  risbook study                                the studies that there are
  risbook study etris-pet                      run it; the same command goes on after a stop
  risbook study etris-pet --only frozen lora   some of its rows
  risbook study etris-pet --steps 20 --limit 50 --results /tmp/trial    a short trial
"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        "study",
        help="compare systems under one budget; can be stopped and resumed",
        description="Train and evaluate every run of a study that has no result yet.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("study", nargs="?", help="its name; without one, list them")
    command.add_argument("--only", nargs="+", default=[], metavar="RUN", help="some of its runs")
    command.add_argument(
        "--out", type=Path, default=Path("runs"), metavar="FOLDER", help="unfinished runs (runs)"
    )
    command.add_argument("--results", type=Path, metavar="FOLDER", help="default: book/results")
    command.add_argument("--weights", default="auto", help="of the towers (%(default)s)")
    command.add_argument("--steps", type=int, help="another number of optimiser steps")
    command.add_argument("--limit", type=int, help="another number of expressions a split, 0: all")
    command.add_argument(
        "--precision", choices=("auto", "no", "bf16", "fp16"), default="auto", help="arithmetic"
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    from risbook.ledger.measured import results_folder
    from risbook.studies import STUDIES, run_study

    if options.study is None:
        rows = [
            [study.name, str(len(study.select_runs())), study.summary] for study in STUDIES.values()
        ]
        print_table(["study", "runs", "compares"], rows)
        return
    if options.study not in STUDIES:
        raise RisbookError(f"no study is called '{options.study}'; there are: {', '.join(STUDIES)}")
    files = run_study(
        STUDIES[options.study],
        options.out / options.study,
        options.results or results_folder(),
        only=options.only,
        weights=options.weights,
        steps=options.steps,
        limit=options.limit,
        precision=options.precision,
    )
    print(f"{len(files)} results: {files[0].parent}")
