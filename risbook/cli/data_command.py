"""``risbook data``: make the drawn world, count a set, look at an example."""

import argparse
from pathlib import Path
from typing import Any

from risbook.cli.arguments import (
    DATA_HELP,
    Commands,
    add_json,
    add_places,
    check_png,
    not_negative,
    open_named,
    print_json,
    print_table,
)
from risbook.errors import RisbookError


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        "data",
        help="make, count and show data",
        description="Make the drawn world, count a set's splits, or draw one of its examples.",
    )
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)

    make = actions.add_parser("make", help="draw the world RefScenes into a folder")
    make.add_argument(
        "--out", type=Path, metavar="FOLDER", help="default: the cache, where other commands look"
    )
    make.add_argument("--size", choices=("standard", "tiny"), default="standard")
    make.add_argument("--seed", type=not_negative, default=0, help="default: 0")
    make.set_defaults(run=run_make)

    counts = actions.add_parser(
        "counts", help="objects, sentences and images of every split, beside the published counts"
    )
    counts.add_argument("data", metavar="SET", help=DATA_HELP)
    add_places(counts)
    add_json(counts)
    counts.set_defaults(run=run_counts)

    show = actions.add_parser("show", help="draw one example: picture, sentence, mask")
    show.add_argument("data", metavar="SET", help=DATA_HELP)
    add_places(show)
    show.add_argument("--split", default="val", help="default: %(default)s")
    show.add_argument("--index", type=int, default=0, help="number of the expression in its split")
    show.add_argument("--out", type=Path, required=True, metavar="PNG")
    show.set_defaults(run=run_show)


def run_make(options: argparse.Namespace) -> None:
    """Run ``data make``."""
    from risbook.refscenes import STANDARD, TINY, make_world, world_folder

    size = {"standard": STANDARD, "tiny": TINY}[options.size]
    if options.out is None:
        print(world_folder(size=options.size, seed=options.seed))
    else:
        print(make_world(options.out, size=size, seed=options.seed))


def run_counts(options: argparse.Namespace) -> None:
    """Run ``data counts``."""
    from risbook.data import check_counts, is_full_release

    data = open_named(options, options.data)
    rows: list[dict[str, Any]] = [
        {"split": split, "objects": found[0], "sentences": found[1], "images": found[2]}
        for split, found in data.expressions.counts().items()
    ]
    if is_full_release(data.expressions, dataset=data.folder.name, partition=data.partition):
        # Only a whole released set has published counts to agree with.
        checks = check_counts(data.expressions, dataset=data.folder.name, partition=data.partition)
        published = {check.split: check for check in checks}
        for row in rows:
            row["published"] = published[row["split"]].expected
            row["agrees"] = published[row["split"]].ok
    if options.json:
        print_json(rows)
        return
    cells = [[str(row[key]) for key in ("split", "objects", "sentences", "images")] for row in rows]
    header = ["split", "objects", "sentences", "images"]
    if "published" in rows[0]:
        header.append("published")
        for line, row in zip(cells, rows, strict=True):
            numbers = " / ".join("?" if n is None else str(n) for n in row["published"])
            line.append(numbers if row["agrees"] else f"{numbers} (differs)")
    print_table(header, cells)


def run_show(options: argparse.Namespace) -> None:
    """Run ``data show``."""
    from risbook.figures import show_referring
    from risbook.files import write_atomically

    check_png(options.out)
    data = open_named(options, options.data)
    table = data.expressions.split(options.split)
    if not 0 <= options.index < len(table):
        raise RisbookError(f"--index {options.index}: {options.split} has 0 to {len(table) - 1}")
    expression = table[options.index]
    figure = show_referring(
        data.image(expression), truth=data.mask(expression), title=expression.sent
    )
    with write_atomically(options.out) as path:
        figure.savefig(path, format="png", dpi=150, bbox_inches="tight")
    print(
        f'{options.out}: "{expression.sent}" ({data.name} {options.split}, {expression.category})'
    )
