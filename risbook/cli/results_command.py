"""``risbook results``: the book's tables of results, and whether its pages still show them so."""

from pathlib import Path

from risbook.cli.shared import print_json, print_table
from risbook.errors import RisbookError


def results(
    table: str = "",
    *,
    check: tuple[Path, ...] | None = None,
    results: Path | None = None,
    json: bool = False,
) -> int:
    """List the tables, print one, or check those that pages of the book show.

    Args:
        table: print this table as Markdown (default: list the tables).
        check: check the tables in these pages or folders (default: book); exit code 1 and a diff
            if a table is not what would be printed now.
        results: folder of result files (default: book/results).
        json: print JSON instead of Markdown or lines.

    Published numbers come from the ledger that is part of the package, numbers of ours from the
    checkpoints that come with it and from the result files in book/results.
    """
    from risbook.ledger import (
        TABLES,
        check_pages,
        find_table,
        read_measured,
        records,
        render_markdown,
        results_folder,
    )

    if results and not results.is_dir():
        raise RisbookError(f"--results {results}: there is no such folder")
    if check is not None and table:
        raise RisbookError(f"--check looks at pages; leave out the table {table}")
    measured = read_measured(results)
    if check is not None:
        findings, count = check_pages(check or (results_folder().parent,), measured)
        lines = [*map(str, findings), f"{count} tables, {len(findings)} findings"]
        entries = [{"page": str(f.path), "place": f.place, "message": f.message} for f in findings]
        print_json(entries) if json else print("\n".join(lines))
        return 1 if findings else 0
    if table:
        entry = find_table(table)
        print_json(records(entry, measured)) if json else print(render_markdown(entry, measured))
        return 0
    tables = [{"table": entry.name, "title": entry.title} for entry in TABLES]
    if json:
        print_json(tables)
    else:
        print_table(tables)
    return 0
