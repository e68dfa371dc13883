"""``risbook towers``: parameters, sizes and weights of every tower."""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from risbook.cli.arguments import Commands, add_json, print_json, print_table

if TYPE_CHECKING:
    from risbook.towers.tower_info import TowerInfo

EPILOG = """\
Weights that need a download are fetched by whoever first uses the tower, and kept. Without
network: let RISBOOK_WEIGHTS name a folder that holds a folder of weights for each tower (or each
pair, as clip-rn50), or use the mini towers, which come with the package.
"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        "towers",
        help="parameters, input sizes, feature shapes and weights of the towers",
        description="Print what there is to know of the towers, without loading them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("names", nargs="*", metavar="NAME", help="default: all of them")
    add_json(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    from risbook.towers.tower_info import tower_info
    from risbook.towers.tower_presets import TOWERS, tower_preset

    for name in options.names:
        tower_preset(name)  # a wrong name is told before anything is built
    facts = [tower_info(name) for name in options.names or TOWERS]
    if options.json:
        print_json([asdict(one) for one in facts])
        return
    header = ["tower", "params", "input", "or", "features", "weights"]
    print_table(header, [_row(one) for one in facts])
    if options.names:
        print()
        print_table(["tower", "file of weights"], [[one.name, one.source] for one in facts])


def _row(one: "TowerInfo") -> list[str]:
    return [
        one.name,
        "?" if one.parameters is None else f"{one.parameters / 1e6:.1f} M",
        _input(one.default_input),
        one.allowed_input,
        " ".join(_shape(shape) for shape in one.features.values()) or "?",
        one.weights,
    ]


def _input(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} ids" if len(shape) == 1 else _shape(shape[1:])


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(str(size) for size in shape)
