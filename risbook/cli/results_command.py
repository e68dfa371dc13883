"""``risbook results``: our results and the book's tables, and whether its pages show them so."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from risbook.cli.shared import print_json, print_table
from risbook.errors import DataError, RisbookError

if TYPE_CHECKING:
    from risbook.ledger import Measured


def results(
    table: str = "",
    *,
    tables: bool = False,
    check: tuple[Path, ...] | None = None,
    update: tuple[Path, ...] | None = None,
    results: Path | None = None,
    json: bool = False,
) -> int:
    """Print our recorded trainings, or a table of the book, or check what its pages show.

    Args:
        table: print this table as Markdown (default: our trainings, study by study).
        tables: list the names of all tables.
        check: check the tables in these pages or folders (default: book); exit code 1 and a diff
            if a number is not in the ledger or in a result file.
        update: write the tables of these Markdown pages anew (default: book).
        results: folder of result files (default: book/results).
        json: print JSON instead of Markdown or lines.

    Published numbers come from the ledger that is part of the package, numbers of ours from the
    checkpoints that come with it and from the result files in book/results.

    Our trainings stand with a 95 % interval where they have two seeds or more. A difference is
    called higher or lower only if an interval for all differences of its table leaves out 0.
    """
    from risbook.ledger import (
        check_pages,
        find_table,
        read_measured,
        records,
        results_folder,
        update_pages,
    )

    if results and not results.is_dir():
        raise RisbookError(f"--results {results}: there is no such folder")
    for flag, pages in (("--check", check), ("--update", update)):
        if pages is not None and table:
            raise RisbookError(f"{flag} looks at pages; leave out the table {table}")
    folder = results or results_folder()
    if update is not None:
        renderer = _Renderer(folder)
        for page in update_pages(update or (results_folder().parent,), renderer):
            print(page)
        return 0
    if check is not None:
        findings, count = check_pages(check or (results_folder().parent,), _Renderer(folder))
        lines = [*map(str, findings), f"{count} tables, {len(findings)} findings"]
        entries = [{"page": str(f.path), "place": f.place, "message": f.message} for f in findings]
        print_json(entries) if json else print("\n".join(lines))
        return 1 if findings else 0
    if tables:
        entries = _list_tables()
        print_json(entries) if json else print_table(entries)
    elif table in ("", "ours") and (json or not table):
        _print_trainings(folder, json=json)
    elif json and table == "shipped":
        from risbook.studies.shipped_tables import shipped_records

        print_json(shipped_records())
    elif json:
        print_json(records(find_table(table), read_measured(folder)))
    else:
        print(_Renderer(folder)(table))
    return 0


class _Renderer:
    """Renders whatever a page may show between two comments, by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._measured: Sequence[Measured] | None = None

    def __call__(self, name: str) -> str:
        from risbook.figures import tuned_parameters
        from risbook.ledger import find_table, read_measured, render_markdown
        from risbook.studies import result_tables, shipped_tables

        names = [entry["table"] for entry in _list_tables()]
        if name not in names:
            raise DataError(f"there is no table {name!r}; there are {', '.join(names)}")
        if name == result_tables.NAME:
            return result_tables.render_suites(self.folder)
        if name == shipped_tables.NAME:
            return shipped_tables.render_shipped()
        if name == tuned_parameters.NAME:
            return tuned_parameters.render_figure()
        if self._measured is None:
            self._measured = read_measured(self.folder)
        return render_markdown(find_table(name), self._measured)


def _list_tables() -> list[dict[str, str]]:
    from risbook.figures import tuned_parameters
    from risbook.ledger import TABLES
    from risbook.studies import result_tables, shipped_tables

    figure = "Published accuracy against tuned parameters, a figure (SVG in HTML)"
    return [
        *({"table": entry.name, "title": entry.title} for entry in TABLES),
        {"table": result_tables.NAME, "title": "Our recorded trainings, study by study"},
        {"table": shipped_tables.NAME, "title": "The trained models that come with the package"},
        {"table": tuned_parameters.NAME, "title": figure},
    ]


def _print_trainings(folder: Path, *, json: bool) -> None:
    from risbook.studies import result_tables
    from risbook.studies.recorded_runs import read_runs

    runs = read_runs(folder)
    suites: list[dict[str, Any]] = []
    for suite, members in runs.items():
        rows, differences = result_tables.suite_tables(members)
        summary = result_tables.describe_suite(suite)
        suites.append({"suite": suite, "summary": summary, "runs": rows})
        if differences:
            about = result_tables.about_differences(members)
            suites[-1] |= {"about": about, "differences": differences}
    missing = result_tables.describe_missing(runs)
    if json:
        print_json({"suites": suites, "missing": missing})
        return
    for entry in suites:
        print(f"{entry['suite']}: {entry['summary']}".rstrip(": "))
        print_table(entry["runs"])
        if "differences" in entry:
            print(f"\n{entry['about']}")
            print_table(entry["differences"])
        print()
    print(missing or "All runs of all studies are recorded.")
