"""``risbook params``: what learns and what does not, for every system."""

import argparse
from typing import TYPE_CHECKING

from risbook.cli.arguments import Commands, add_json, print_json, print_table

if TYPE_CHECKING:
    from risbook.systems.parameters import ParameterReport

EPILOG = """\
"adapters" is what learns inside and between the two towers; papers print it as a share of the
image tower alone or of both towers, and count neither neck, decoder and projector nor the towers'
position tables, which learn as well. "dead" parameters learn by name only: their gradient is zero
by construction.
"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        "params",
        help="parameters of every system: tuned, frozen, dead, and as a share of the towers",
        description="Count parameters, group by group, without making a single weight.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("models", nargs="*", metavar="MODEL", help="default: all of them")
    add_json(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    from risbook.systems.parameters import count_parameters
    from risbook.systems.system_presets import SYSTEMS, build_meta, system_preset

    for name in options.models:
        system_preset(name)  # a wrong name is told before anything is counted
    reports = [count_parameters(build_meta(name)) for name in options.models or SYSTEMS]
    if options.json:
        print_json([report.record() for report in reports])
        return
    header = ["system", "all", "tuned", "adapters", "of image tower", "of towers", "dead"]
    print_table(header, [_row(report) for report in reports])
    for report in reports if options.models else ():
        print()
        rows = [[group.name, f"{group.tuned:,}", f"{group.frozen:,}"] for group in report.groups]
        print_table([report.system, "tuned", "frozen"], rows)


def _row(report: "ParameterReport") -> list[str]:
    return [
        report.system,
        f"{report.total:,}",
        f"{report.tuned:,}",
        f"{report.adapters:,}",
        _percent(report.share_of_image_tower),
        _percent(report.share_of_towers),
        f"{report.dead:,}",
    ]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"
