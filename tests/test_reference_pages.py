"""The pages of reference: one per room, and entries that read as the docstrings do."""

import importlib
import pkgutil
import re

import pytest
from book_config import ROOT, toc_pages
from reference_entries import keep_sentence, without_checks

import risbook

PAGES = ROOT / "book/reference"
#: Rooms whose entries a reader meets elsewhere: the help of the commands, chapters, base classes.
WITHOUT_PAGE = {"cli", "probing", "layers"}


def documented() -> dict[str, str]:
    """Return the page of each module that a page of reference documents."""
    modules = {}
    for page in PAGES.glob("*.md"):
        for module in re.findall(r"automodule:: (\S+)", page.read_text()):
            modules[module] = page.stem
    return modules


def test_every_room_has_a_page():
    rooms = {room.name for room in pkgutil.iter_modules(risbook.__path__) if room.ispkg}
    have = {module.removeprefix("risbook.") for module in documented()}
    assert rooms - have == WITHOUT_PAGE


@pytest.mark.parametrize("module", sorted(documented()))
def test_a_page_documents_what_its_room_names(module):
    assert f"book/reference/{documented()[module]}" in toc_pages()
    assert importlib.import_module(module).__doc__
    index = (PAGES / "index.md").read_text()
    assert f"[`{module}`]({documented()[module]}.md)" in index


def test_checks_leave_the_signature():
    assert without_checks("(a: Annotated[int, FieldInfo(metadata=[Ge(ge=1)])] = 3, b: str)") == (
        "(a: int = 3, b: str)"
    )
    nested = "(a: tuple[Annotated[tuple[int, ...], x(1, 2)], Annotated[float, y]])"
    assert without_checks(nested) == "(a: tuple[tuple[int, ...], float])"
    assert without_checks("(dim: int)") == "(dim: int)"


def test_a_comment_with_a_colon_stays_a_sentence():
    lines = ["One expression: its id.", "More: text."]
    keep_sentence(None, "data", "Row", None, None, lines)
    assert lines == ["One expression \N{EN DASH} its id.", "More: text."]
    keep_sentence(None, "function", "iou", None, None, lines := ["Returns: x."])
    assert lines == ["Returns: x."]
