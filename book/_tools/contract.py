"""The contract of a chapter: every rule is a function that lists what is wrong.

A chapter is held to it by ``tests/test_notebooks_contract.py``; the rules themselves are
explained in CONTRIBUTING.md.
"""

import re
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import nbformat
from book_config import ROOT, chapter_numbers
from chapter_cells import (
    Notebook,
    code_cells,
    count_figures,
    has_output,
    printed,
    section,
    tags_of,
    text_of,
)
from glossary_terms import read_terms
from normal_form import TAGS, WIDGET_VIEW
from retold import RETOLD_RULES, Chapter, count_words, mentioned_terms

Rule = Callable[[Notebook], Iterator[str]]

# The chapters for which the rules of retold.py hold too. Their authors add them.
RETOLD: tuple[str, ...] = (
    "book/task/referring_segmentation",
    "book/task/data_and_metrics",
    "book/task/first_model",
    "book/task/model_analysis",
    "book/towers/clip",
    "book/towers/dinov2",
    "book/tuning/adapters",
    "book/etris/bridger",
    "book/etris/decoder",
    "book/etris/etris",
    "book/etris/evidence",
    "book/detris/dense_aligner",
    "book/detris/text_adapter",
    "book/detris/detris",
    "book/mica/glia",
    "book/mica/caa",
    "book/mica/choosing",
)

PARTS = (
    "The picture first",
    "The idea",
    "Build it small",
    "Meet the package",
    "Look inside",
    "What it costs, and whether it helps",
    "Check yourself",
)
WORDS = (1500, 2800)
CODE_CELLS = (20, 50)
MEDIAN_LINES, MOST_LINES = 18, 60
MOST_FIGURES = 8
MOST_BYTES = 800_000
EXERCISES = (2, 4)

RULES: dict[str, Rule] = {}

# A lab is a protocol on real data: it has sections of its own, and no exercises.
LABS = "book/labs"
CHAPTERS_ONLY = ("parts", "questions", "exercises", "size", "assertions")


def rule(function: Rule) -> Rule:
    """Enter a function into the table of rules under its own name."""
    RULES[function.__name__] = function
    return function


def is_lab(path: Path) -> bool:
    """Whether a notebook is a lab, which keeps the rules of form alone."""
    return path.relative_to(ROOT).as_posix().startswith(f"{LABS}/")


def problems(book: Notebook, chapter: Chapter | None = None, *, is_lab: bool = False) -> list[str]:
    """List every breach of the contract as ``rule: what is wrong``.

    Args:
        book: the chapter's notebook.
        chapter: what `read_chapter` returns, for a chapter that is told anew.
        is_lab: whether the notebook is a lab.
    """
    left_out = CHAPTERS_ONLY if is_lab else ()
    checks: dict[str, Rule] = {name: r for name, r in RULES.items() if name not in left_out}
    for name, check in RETOLD_RULES.items() if chapter else ():
        checks[name] = partial(check, chapter=chapter)
    return [f"{name}: {fault}" for name, check in checks.items() for fault in check(book)]


def read_chapter(path: Path) -> Chapter | None:
    """Read what the rules for retold chapters compare with; None for other chapters."""
    page = path.relative_to(ROOT).with_suffix("").as_posix()
    if page not in RETOLD:
        return None
    terms = read_terms((ROOT / "book" / "glossary.md").read_text(encoding="utf-8"))
    numbers = chapter_numbers()
    introduced: set[str] = set()
    for earlier in (other for other in numbers if other in RETOLD):
        if earlier == page:
            break
        introduced |= mentioned_terms(nbformat.read(ROOT / f"{earlier}.ipynb", 4), terms)
    notation = (ROOT / "book" / "notation.md").read_text(encoding="utf-8")
    return Chapter(numbers[page], tuple(terms), frozenset(introduced), notation)


@rule
def header(book: Notebook) -> Iterator[str]:
    """The first cell holds title, promise, links, and a box with measured time and memory."""
    source = book.cells[0].source if book.cells else ""
    if not source.startswith("# "):
        yield "the first cell is not a text cell that starts with a title"
    for needed in ('<span class="launch">', '<div class="admonition'):
        if needed not in source:
            yield f"the first cell lacks {needed}"
    if not re.search(r'<span class="measured">[^<]+</span>', source):
        yield "time and memory were never measured; run `make notebooks`"


@rule
def parts(book: Notebook) -> Iterator[str]:
    """The parts of a chapter stand in their order, under their fixed headings."""
    headings = re.findall(r"^## +(.+?) *$", text_of(book), re.MULTILINE)
    if headings != list(PARTS):
        yield f"the second-level headings are {headings}, not {list(PARTS)}"
    last = section(book, PARTS[-1])
    for name in ("Take away", "Further reading"):
        if not re.search(rf"^### {name} *$", last, re.MULTILINE):
            yield f"'### {name}' is missing in the last part"
    summary = re.search(r"^### Take away *\n(.*?)(?=^### |\Z)", last, re.MULTILINE | re.DOTALL)
    items = re.findall(r"^(?:[-*]|\d\.) ", summary[1], re.MULTILINE) if summary else []
    if len(items) != 5:
        yield f"'### Take away' lists {len(items)} lines, not 5"


@rule
def questions(book: Notebook) -> Iterator[str]:
    """Three questions, and for each option of each a folded explanation."""
    last = section(book, PARTS[-1])
    pattern = r"^### Question[^\n]*\n(.*?)(?=^### |\Z)"
    questions = re.findall(pattern, last, re.MULTILINE | re.DOTALL)
    if len(questions) != 3:
        yield f"{len(questions)} headings '### Question ...', not 3"
    for number, text in enumerate(questions, start=1):
        if text.count("<details") < 2:
            yield f"question {number} has fewer than two options in <details>"


@rule
def exercises(book: Notebook) -> Iterator[str]:
    """Two to four exercises, each with a stub, a checker and a solution that is right."""
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    places = [n for n, cell in enumerate(cells) if "solution" in tags_of(cell)]
    if not EXERCISES[0] <= len(places) <= EXERCISES[1]:
        yield f"{len(places)} solutions, not {EXERCISES[0]} to {EXERCISES[1]}"
    for number, place in enumerate(places, start=1):
        stub = cells[place - 2] if place >= 2 else None
        if stub is None or stub.metadata.get("risbook", {}).get("role") != "stub":
            yield f"exercise {number} has no stub and checker right before its solution"
            continue
        if "not attempted yet" not in printed(cells[place - 1]):
            yield f"exercise {number}: the checker does not take the stub as not attempted"
        if ": correct" not in printed(cells[place]):
            yield f"exercise {number}: the solution does not run the checker with success"


@rule
def size(book: Notebook) -> Iterator[str]:
    """A chapter is read in one sitting, and its file opens everywhere."""
    words, code = count_words(text_of(book)), code_cells(book)
    if not WORDS[0] <= words <= WORDS[1]:
        yield f"{words} words, not {WORDS[0]} to {WORDS[1]}"
    if not CODE_CELLS[0] <= len(code) <= CODE_CELLS[1]:
        yield f"{len(code)} code cells beside the set-up, not {CODE_CELLS[0]} to {CODE_CELLS[1]}"
    lines = [cell.source.count("\n") + 1 for cell in code] or [0]
    if statistics.median(lines) > MEDIAN_LINES:
        yield f"the median code cell has {statistics.median(lines):g} lines, over {MEDIAN_LINES}"
    if max(lines) > MOST_LINES:
        yield f"a code cell has {max(lines)} lines, over {MOST_LINES}"
    figures = sum(count_figures(cell) for cell in code)
    if figures > MOST_FIGURES:
        yield f"{figures} figures, over {MOST_FIGURES}"
    written = len(nbformat.writes(book).encode())
    if written > MOST_BYTES:
        yield f"{written} bytes, over {MOST_BYTES}"


@rule
def outputs(book: Notebook) -> Iterator[str]:
    """Outputs are there, come from one run from the top, and hold no noise."""
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        yield "execution counts are not 1, 2, 3, ...; run `make notebooks`"
    if "widgets" in book.metadata:
        yield "the notebook carries the state of widgets"
    for number, cell in enumerate(code, start=1):
        if not cell.outputs and has_output(cell.source) and "remove-cell" not in tags_of(cell):
            yield f"code cell {number} prints or draws, but has no output"
        for output in cell.outputs:
            if output.get("name") == "stderr":
                yield f"code cell {number} carries error-stream output"
            if output.output_type == "error" and "raises-exception" not in tags_of(cell):
                yield f"code cell {number} failed with {output.ename}"
            if WIDGET_VIEW in output.get("data", {}):
                yield f"code cell {number} carries a view of a widget"
            if "image/svg+xml" in output.get("data", {}):
                yield f"code cell {number} carries an SVG; figures are PNG"


_NOISE = {
    "an absolute path": r"(?<![\w.:/])/(?:home|Users|tmp|root|work|content|usr|opt|var)/",
    "a Windows path": r"\b[A-Z]:\\",
    "a memory address": r"\b0x[0-9a-fA-F]{6,}",
    "a clock": r"\b\d\d?:\d\d:\d\d\b",
    "a progress bar": r"it/s\b|s/it\b|[█▏▎▍▌▋▊▉]",
}


@rule
def noise(book: Notebook) -> Iterator[str]:
    """What is printed does not depend on the machine or the hour."""
    for number, cell in enumerate((c for c in book.cells if c.cell_type == "code"), start=1):
        for name, pattern in _NOISE.items():
            if re.search(pattern, printed(cell)):
                yield f"code cell {number} prints {name}"
        checked = "nbval-ignore-output" not in tags_of(cell)
        if checked and re.search(r"\b\d+\.\d+ ?(?:s|ms|sec|seconds)\b", printed(cell)):
            yield f"code cell {number} prints a duration; it will differ next time"


@rule
def tags(book: Notebook) -> Iterator[str]:
    """Only known tags; few unchecked cells, and after each the assertion of a relation."""
    for number, cell in enumerate(book.cells, start=1):
        for tag in tags_of(cell):
            if tag not in TAGS:
                yield f"cell {number} has the unknown tag '{tag}'"
    code = code_cells(book)
    unchecked = [n for n, cell in enumerate(code) if "nbval-ignore-output" in tags_of(cell)]
    if len(unchecked) * 4 > len(code):
        yield f"{len(unchecked)} of {len(code)} code cells are unchecked, over a quarter"
    for n in unchecked:
        if not any("assert " in cell.source for cell in code[n : n + 3]):
            yield f"no assertion follows the unchecked cell '{code[n].source.splitlines()[0]}'"


@rule
def setup(book: Notebook) -> Iterator[str]:
    """Exactly one set-up cell, right after the header, hidden in the book."""
    roles = [cell.metadata.get("risbook", {}).get("role") for cell in book.cells]
    if [n for n, role in enumerate(roles) if role == "set-up"] != [1]:
        yield "the set-up cell is not the second cell; run `make notebooks`"
    elif tags_of(book.cells[1]) != ["remove-cell"]:
        yield "the set-up cell is not tagged remove-cell"


@rule
def figures(book: Notebook) -> Iterator[str]:
    """Every image has words for readers who do not see it, and ends with plt.show()."""
    for number, cell in enumerate((c for c in book.cells if c.cell_type == "code"), start=1):
        if not count_figures(cell, interactive=False):
            continue
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        if len(alt.split()) < 4:
            yield f"code cell {number} shows an image without alt text (mystnb.image.alt)"
        if "plt." in cell.source and cell.source.splitlines()[-1].strip() != "plt.show()":
            yield f"code cell {number} draws, but does not end with plt.show()"


_MARKUP = {
    "a MyST directive": r"^(?:`{3,}|:{3,}) *\{",
    "a colon fence": r"^:{3,}",
    "a MyST role": r"\{[a-z:]+\}`",
    "a MyST target": r"^\([\w-]+\)= *$",
    "a script or style": r"<(?:script|style|iframe)\b",
    "a remote image": r"<img[^>]+src=\"https?:|!\[[^\]]*\]\(https?:",
    "an image without alt": r"<img(?![^>]*\balt=\"[^\"]+)[^>]*>|!\[\]\(",
}


@rule
def markup(book: Notebook) -> Iterator[str]:
    """Text uses only what Colab, JupyterLab, GitHub and the book all render."""
    for number, cell in enumerate(book.cells, start=1):
        if cell.cell_type != "markdown":
            continue
        for name, pattern in _MARKUP.items():
            if re.search(pattern, cell.source, re.MULTILINE):
                yield f"cell {number} uses {name}"
        if re.search(r"<div[^>]*admonition(?:(?!</div>).)*\n\s*\n", cell.source, re.DOTALL):
            yield f"cell {number}: a blank line inside a box ends the box in the book"


@rule
def assertions(book: Notebook) -> Iterator[str]:
    """The small version is checked as it is built, and proven equal to the package's."""
    part = ""
    asserted = set()
    for cell in book.cells:
        if cell.cell_type == "markdown":
            for heading in re.findall(r"^## +(.+?) *$", cell.source, re.MULTILINE):
                part = heading
        elif "assert" in cell.source:
            asserted.add(part)
    for name in ("Build it small", "Meet the package"):
        if name not in asserted:
            yield f"'{name}' asserts nothing"
