"""The ledger: every published number that the book shows, every number of ours, and the tables."""

from risbook.ledger.cells import Cell, fill_table, records
from risbook.ledger.check import Finding, check_pages, update_pages
from risbook.ledger.markdown import TABLES, Rendered, find_table, render_markdown, show_table
from risbook.ledger.measured import Measured, read_measured, results_folder
from risbook.ledger.published import Published, published, read_published
from risbook.ledger.reported_results import reported_results
from risbook.ledger.selection import select
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
    "check_pages",
    "fill_table",
    "find_table",
    "published",
    "read_measured",
    "read_published",
    "read_sources",
    "records",
    "render_markdown",
    "reported_results",
    "results_folder",
    "select",
    "show_table",
    "update_pages",
]
