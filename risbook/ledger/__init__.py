"""The ledger: every published number that the book shows, every number of ours, and the tables."""

from risbook.ledger.cells import Cell, fill, records
from risbook.ledger.check import Finding, check_page, check_pages
from risbook.ledger.measured import Measured, measured, read_measured, results_folder
from risbook.ledger.named_tables import TABLES
from risbook.ledger.published import Published, published, read_published
from risbook.ledger.render import Rendered, find_table, markdown, show_table
from risbook.ledger.sources import Source, read_sources
from risbook.ledger.tables import Ours, Reported, Row, Table, Tuned

__all__ = [
    "TABLES",
    "Cell",
    "Finding",
    "Measured",
    "Ours",
    "Published",
    "Rendered",
    "Reported",
    "Row",
    "Source",
    "Table",
    "Tuned",
    "check_page",
    "check_pages",
    "fill",
    "find_table",
    "markdown",
    "measured",
    "published",
    "read_measured",
    "read_published",
    "read_sources",
    "records",
    "results_folder",
    "show_table",
]
