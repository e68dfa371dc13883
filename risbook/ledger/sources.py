"""Where published numbers were read: short keys, titles and addresses, one line each."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from risbook.errors import DataError

SOURCES_FILE = Path(__file__).with_name("sources.csv")


class Source(NamedTuple):
    """A paper, a repository or an issue."""

    key: str  # short name that lines of the ledger use
    title: str  # what a table prints
    address: str

    def __str__(self) -> str:
        return self.key

    def link(self) -> str:
        """The title as a Markdown link."""
        return f"[{self.title}]({self.address})"


def read_table(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Read a CSV file line by line.

    Args:
        path: the file, UTF-8.
        columns: names that its first line has to hold, in this order.

    Yields:
        The place for a message ("file:line") and the cells by column.

    Raises:
        DataError: the file is missing, or its first line or the number of cells is wrong.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, restkey="")
        if tuple(reader.fieldnames or ()) != columns:
            raise DataError(f"{path}:1: the first line has to be {','.join(columns)}")
        for cells in reader:
            place = f"{path}:{reader.line_num}"
            if "" in cells or None in cells.values():
                raise DataError(f"{place}: a line has {len(columns)} cells, separated by commas")
            if any(cell != cell.strip() for cell in cells.values()):
                raise DataError(f"{place}: a cell begins or ends with a blank")
            yield place, cells


def read_sources(path: Path = SOURCES_FILE) -> Mapping[str, Source]:
    """Read the sources by key.

    Raises:
        DataError: names the file and the line.
    """
    sources: dict[str, Source] = {}
    for place, cells in read_table(path, Source._fields):
        source = Source(**cells)
        if not (source.key and source.title):
            raise DataError(f"{place}: a source needs a key and a title")
        if not source.address.startswith("https://"):
            raise DataError(f"{place}: {source.key}: the address has to begin with https://")
        if source.key in sources:
            raise DataError(f"{place}: {source.key} is there twice")
        sources[source.key] = source
    return sources
