"""``risbook results``: the book's tables of results, and whether its pages still show them so."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from risbook.cli.arguments import Commands, add_json, print_json, print_table
from risbook.errors import RisbookError

if TYPE_CHECKING:
    from risbook.ledger import Measured

EPILOG = """\
Published numbers come from the ledger that is part of the package, numbers of ours from the
checkpoints that come with it and from the result files in book/results.
"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        "results",
        help="tables of published and own results, and a check of the book's pages",
        description="List the tables, print one, or check those that pages of the book show.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("table", nargs="?", metavar="TABLE", help="print this one as Markdown")
    command.add_argument(
        "--check",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="check the tables in these pages or folders (default: book); exit code 1 and a "
        "diff if a table is not what would be printed now",
    )
    command.add_argument(
        "--results",
        type=Path,
        metavar="FOLDER",
        help="folder of result files (default: book/results)",
    )
    add_json(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    from risbook.ledger import TABLES, find_table, read_measured, records, render_markdown

    if options.results and not options.results.is_dir():
        raise RisbookError(f"--results {options.results}: there is no such folder")
    if options.check is not None and options.table:
        raise RisbookError(f"--check looks at pages; leave out the table {options.table}")
    ours = read_measured(options.results)
    if options.check is not None:
        _check(options, ours)
    elif options.table:
        table = find_table(options.table)
        if options.json:
            print_json(records(table, ours))
        else:
            print(render_markdown(table, ours))
    elif options.json:
        print_json([{"table": table.name, "title": table.title} for table in TABLES])
    else:
        print_table(["table", "title"], [[table.name, table.title] for table in TABLES])


def _check(options: argparse.Namespace, ours: "tuple[Measured, ...]") -> None:
    """Print a line for everything that is wrong, and end with exit code 1 if there is any."""
    from risbook.ledger import check_pages

    findings, tables = check_pages(options.check or [_book()], ours)
    if options.json:
        print_json(
            [
                {"page": str(finding.path), "place": finding.place, "message": finding.message}
                for finding in findings
            ]
        )
    else:
        for finding in findings:
            print(finding)
        print(f"{tables} tables, {len(findings)} findings")
    if findings:
        raise SystemExit(1)


def _book() -> Path:
    """The book's folder: here, or in the repository that the package lies in."""
    places = (Path("book"), Path(__file__).resolve().parents[2] / "book")
    for place in places:
        if place.is_dir():
            return place
    raise RisbookError("--check: there is no folder book here; name the pages to check")
