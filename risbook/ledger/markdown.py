"""Tables as Markdown that Jupyter and the book both show.

A rendered table stands between two comments, which readers do not see. They name the table, so
that `risbook results --check` can render it again and compare.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from risbook.errors import DataError
from risbook.ledger.cells import NONE, SECOND_HAND, fill_table
from risbook.ledger.etris_tables import ETRIS_TABLES
from risbook.ledger.footnotes import footnotes
from risbook.ledger.landscape_tables import LANDSCAPE_TABLES
from risbook.ledger.measured import Measured, read_measured
from risbook.ledger.tables import Table
from risbook.ledger.whole_ledger import WHOLE_LEDGER

#: The tables of the book.
TABLES = (*ETRIS_TABLES, *LANDSCAPE_TABLES, *WHOLE_LEDGER)

END = "<!-- end of risbook results -->"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A table between its two comments; a notebook shows it as the last line of a cell."""

    markdown: str

    def _repr_markdown_(self) -> str:
        return self.markdown

    def __repr__(self) -> str:
        return self.markdown


def find_table(name: str) -> Table:
    """Look up a table of the book.

    Raises:
        DataError: there is no such table.
    """
    tables = {table.name: table for table in TABLES}
    if name not in tables:
        raise DataError(f"there is no table {name!r}; there are {', '.join(tables)}")
    return tables[name]


def show_table(name: str) -> Rendered:
    """A table of the book with the numbers that there are now.

    Raises:
        DataError: there is no such table.
    """
    return Rendered(render_markdown(find_table(name), read_measured()))


def render_markdown(table: Table, ours: Sequence[Measured]) -> str:
    """Render a table between its two comments.

    Raises:
        DataError: as in `fill_table`.
    """
    grid = fill_table(table, ours)
    sources = [
        "; ".join(dict.fromkeys(cell.published.source.link() for cell in cells if cell.published))
        for cells in grid
    ]
    distinct = list(dict.fromkeys(filter(None, sources)))
    heading = table.headings
    rule = [*[":---"] * len(table.heads), *["---:"] * len(table.columns)]
    body = [
        [*row.words, *(cell.text + SECOND_HAND * cell.second_hand for cell in cells)]
        for row, cells in zip(table.rows, grid, strict=True)
    ]
    notes = [f"Source: {distinct[0]}."] if len(distinct) == 1 else []
    if len(distinct) > 1:
        heading, rule = [*heading, "Source"], [*rule, ":---"]
        body = [[*cells, source or NONE] for cells, source in zip(body, sources, strict=True)]
    notes += footnotes(table, grid)
    parts = (
        f"<!-- risbook results: {table.name} -->",
        f"**{table.title}.** {table.about}".rstrip(),
        "\n".join(_line(cells) for cells in (heading, rule, *body)),
        "\n".join(f"- {note}" for note in notes),
        END,
    )
    return "\n\n".join(filter(None, parts))


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
