"""Further rules of the contract, for the chapters that are told anew.

A rule of the same name replaces the rule of ``contract.py``. Each rule is given the notebook and
the `Chapter`, which holds what the notebook is compared with.
"""

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import nbformat
from chapter_cells import (
    COMPREHENSIONS,
    Notebook,
    bound_names,
    code_cells,
    is_solution,
    parse,
    printed,
    tags_of,
    text_of,
    visible_code,
)
from glossary_terms import Term
from stubs import SUFFIX


@dataclass(frozen=True)
class Chapter:
    """What a chapter is compared with.

    Attributes:
        number: its number in the table of contents, such as ``"1.3"``.
        terms: the terms of the glossary.
        introduced: anchors of the terms that earlier retold chapters mention.
        notation: the text of the page with the symbols.
    """

    number: str
    terms: tuple[Term, ...] = ()
    introduced: frozenset[str] = frozenset()
    notation: str = ""


RetoldRule = Callable[[Notebook, Chapter], Iterator[str]]

KINDS = ("fill in", "change and measure", "read the evidence")
WORDS = (2000, 4500)
CODE_CELLS = (20, 50)
MOST_LINES = 60
MOST_FIGURES = 12
MOST_BYTES = 1_500_000
FOLDED = {"hide-input", "hide-cell", "solution"}  # code that a reader need not open
LONGEST_LINE = 88  # what the page shows at 1280 pixels without scrolling

# What readers stumbled over, and what to write.
WORDS_TO_AVOID = {
    r"pictures?": "image",
    r"things?": "object",
    r"kinds?": "category, or type",
    r"eyes?": "image tower",
    r"ears?": "text tower",
    r"told": "given, described",
    r"(?-i:dice)": "random numbers",
    r"blind": "without the sentence, without the image",
    r"clever": "the property that you mean",
    r"riddles?": "the question itself",
    r"looks at": "encodes, attends to",
    r"sees": "encodes, is given",
    r"hears": "encodes, is given",
    r"understands": "what the model does: selects, predicts",
    r"stranger|stone": "the case itself",
    r"by luck": "by chance, with the probability",
    r"comes? into question": "is a candidate",
    r"grown up": "is implemented in full",
    r"(?:one|two|three|four|five|six|\d[\d,.]*) [a-z-]+ an? (?:image|sentence|expression|object|"
    r"pixel|word|token|step|epoch|batch|split|position|cell|notebook)": "per",
}

_GREEK = (
    r"\\(?:alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|"
    r"rho|sigma|tau|upsilon|phi|varphi|chi|psi|omega|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Phi|"
    r"Psi|Omega|ell)"
)
_ACCENTS = r"hat|bar|tilde|vec|dot|mathcal|mathbf|boldsymbol|widehat|widetilde|overline"

RETOLD_RULES: dict[str, RetoldRule] = {}


def rule(function: RetoldRule) -> RetoldRule:
    """Enter a function into the table of rules under its own name."""
    RETOLD_RULES[function.__name__] = function
    return function


@rule
def size(book: Notebook, chapter: Chapter) -> Iterator[str]:
    """A chapter is read in two sittings at most, and its file opens everywhere."""
    words = count_words(text_of(book))
    if not WORDS[0] <= words <= WORDS[1]:
        yield f"{words} words, not {WORDS[0]} to {WORDS[1]}"
    cells = visible_code(book)
    if not CODE_CELLS[0] <= len(cells) <= CODE_CELLS[1]:
        yield f"{len(cells)} visible code cells, not {CODE_CELLS[0]} to {CODE_CELLS[1]}"
    for cell in cells:
        lines = cell.source.count("\n") + 1
        if lines > MOST_LINES:
            yield f"{_name(cell)} has {lines} lines, over {MOST_LINES}"
    figures = sum(_has_figure(cell) for cell in cells)
    if figures > MOST_FIGURES:
        yield f"{figures} figures, over {MOST_FIGURES}"
    written = len(nbformat.writes(book).encode())
    if written > MOST_BYTES:
        yield f"{written} bytes, over {MOST_BYTES}"


@rule
def code_lines(book: Notebook, chapter: Chapter) -> Iterator[str]:
    """No line of code is wider than the page."""
    for cell in visible_code(book):
        for line in cell.source.splitlines():
            if len(line) > LONGEST_LINE:
                yield f"{len(line)} characters, over {LONGEST_LINE}, in the line {line[:50]!r}"


@rule
def comprehensions(book: Notebook, chapter: Chapter) -> Iterator[str]:
    """At most one comprehension of a cell stands inside another, and none deeper."""
    for cell in visible_code(book):
        levels = [level for level in _comprehension_levels(parse(cell.source)) if level > 1]
        if len(levels) > 1 or max(levels, default=0) > 2:
            yield f"{_name(cell)} nests comprehensions {len(levels)} times; write a loop"


@rule
def guards(book: Notebook, chapter: Chapter) -> Iterator[str]:
    """Assertions that guard the text are hidden; a hidden cell holds nothing else of use."""
    part = ""
    for cell in book.cells:
        if cell.cell_type == "markdown":
            part = (re.findall(r"^## +(.+?) *$", cell.source, re.MULTILINE) or [part])[-1]
            continue
        if cell.metadata.get("risbook", {}).get("role") == "set-up" or is_solution(cell):
            continue
        asserts = any(isinstance(node, ast.Assert) for node in ast.walk(parse(cell.source)))
        hidden = "remove-cell" in tags_of(cell)
        if asserts and not hidden and part != "Meet the package":
            yield f"{_name(cell)} asserts in view; move it into a cell tagged remove-cell"
        if hidden and not asserts:
            yield f"{_name(cell)} is tagged remove-cell, but asserts nothing"


@rule
def answers(book: Notebook, chapter: Chapter) -> Iterator[str]:
    """A cell prints the numbers that the text speaks of, not yes or no."""
    for cell in visible_code(book):
        if re.search(r"(?:^|[\s:=,(\[])(?:True|False)[\s.,;)\]]*$", printed(cell), re.MULTILINE):
            yield f"{_name(cell)} prints True or False; print the numbers instead"


@rule
def captions(book: Notebook, chapter: Chapter) -> Iterator[str]:
    """Every figure has a number and a caption in the text cell after it."""
    numbers = []
    pattern = re.compile(r"\*Figure (\d+\.\d+\.\d+)\. (?:[^*]+\s){3,}[^*]+[.!?)”\"]\*")
    for place, cell in enumerate(book.cells):
        if cell.cell_type != "code" or not _has_figure(cell):
            continue
        below = [c for c in book.cells[place + 1 :] if "remove-cell" not in tags_of(c)]
        text = below[0].source if below and below[0].cell_type == "markdown" else ""
        wanted = f"{chapter.number}.{len(numbers) + 1}"
        match = pattern.fullmatch(text.partition("\n\n")[0].strip())
        if not match or match[1] != wanted:
            yield f"{_name(cell)} is not followed by a text cell *Figure {wanted}. A caption.*"
        numbers.append(wanted)
    for number in re.findall(r"\bFigure (\d+\.\d+\.\d+)\b", text_of(book)):
        if number.startswith(f"{chapter.number}.") and number not in numbers:
            yield f"the text speaks of Figure {number}, which does not exist"


@rule
def exercises(book: Notebook, chapter: Chapter) -> Iterator[str]:
    """The three kinds of exercises, each with what it needs."""
    sections = list(_exercise_sections(book))
    kinds = []
    for number, (heading, text, cells) in enumerate(sections, start=1):
        match = re.fullmatch(r"Exercise (\d+) \(([a-z ]+)\): \S.*", heading)
        if not match or int(match[1]) != number or match[2] not in KINDS:
            yield f"'{heading}' is not 'Exercise {number} (KIND): TITLE', KIND one of {KINDS}"
            continue
        kinds.append(match[2])
        folded = text.count("<details")
        if match[2] == KINDS[0] and not any(is_solution(cell) for cell in cells):
            yield f"exercise {number} has no cell tagged solution"
        if match[2] == KINDS[1]:
            asks = [re.search(r"^my_\w+ = \.\.\.$", c.source, re.MULTILINE) for c in cells]
            if not any(asks):
                yield f"exercise {number} asks for no prediction, such as my_prediction = ..."
            if not folded:
                yield f"exercise {number} discusses its result in no <details>"
        if match[2] == KINDS[2] and folded < 2:
            yield f"exercise {number} has fewer than two options in <details>"
    for kind in KINDS:
        if kind not in kinds:
            yield f"no exercise of the kind '{kind}'"
    yield from _checkers(visible_code(book))


@rule
def solution_names(book: Notebook, chapter: Chapter) -> Iterator[str]:
    """What the reader writes is never overwritten: a solution has names of its own."""
    cells = code_cells(book)
    bindings = Counter(name for cell in cells for name in set(bound_names(parse(cell.source))))
    for cell in cells:
        stub = cell.metadata.get("risbook", {}).get("role") == "stub"
        for name in sorted(set(bound_names(parse(cell.source)))):
            if is_solution(cell) and not name.endswith(SUFFIX):
                yield f"the solution defines {name}, not {name}{SUFFIX}"
            protected = stub or is_solution(cell) or name.startswith("my_pred")
            if protected and bindings[name] > 1:
                yield f"{name} is defined again in another cell"


@rule
def glossary(book: Notebook, chapter: Chapter) -> Iterator[str]:
    """A term is linked to the glossary where the book first uses it."""
    anchors = {term.anchor for term in chapter.terms}
    for anchor in re.findall(r"\]\((?:\.\./)?glossary\.md#([^)]*)\)", text_of(book)):
        if anchor not in anchors:
            yield f"the glossary has no term {anchor!r}"
    first: dict[str, str] = {}
    for anchor, word in _mentions(book, chapter.terms):
        first.setdefault(anchor, word)
    for anchor, word in first.items():
        if word and anchor not in chapter.introduced:
            yield f"'{word}' is not linked at its first use: [{word}](../glossary.md#{anchor})"


@rule
def symbols(book: Notebook, chapter: Chapter) -> Iterator[str]:
    """Every symbol of the formulas is in the notation or in a table of the chapter, once."""
    text = text_of(book)
    notation, own = read_symbols(chapter.notation), read_symbols(text)
    for symbol, meanings in own.items():
        if len(meanings) > 1:
            yield f"${symbol}$ has {len(meanings)} rows in the chapter's tables"
        for meaning in notation.get(symbol, [])[:1]:
            if not _agree(meaning, meanings[0]):
                yield f"${symbol}$ is '{meanings[0]}' here, '{meaning}' in the notation"
    explained = {letter for symbol in own for letter in letters_of(symbol)}
    for formula in _formulas(chapter.notation):
        explained |= letters_of(formula)
    used = {x for maths in re.findall(r"\$\$(.+?)\$\$", text, re.DOTALL) for x in letters_of(maths)}
    for letter in sorted(used - explained):
        yield f"${letter}$ is in no table of symbols"
    for letter in sorted(used | set(own)):
        if len(notation.get(letter, [])) > 1:
            yield f"${letter}$ has {len(notation[letter])} rows in the notation"


@rule
def language(book: Notebook, chapter: Chapter) -> Iterator[str]:
    """None of the words that readers stumbled over; fixed headings and quotations aside."""
    for number, cell in enumerate(book.cells, start=1):
        text = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        if cell.cell_type == "markdown":
            text = re.sub(r"^## .*$", " ", cell.source, flags=re.MULTILINE)
            text = re.sub(r"\[[^\]]*\]\(https?:[^)]*\)", " ", _without_code(text))
        text = re.sub(r"<[^>]+>|\"[^\"]*\"|“[^”]*”", " ", text)
        for pattern, instead in WORDS_TO_AVOID.items():
            for match in re.findall(rf"(?<![\w-])(?:{pattern})(?![\w-])", text, re.IGNORECASE):
                yield f"cell {number} says '{match}'; write {instead}"


def count_words(text: str) -> int:
    """Count the words of a text, mark-up, formulas and the targets of links aside."""
    text = re.sub(r"\]\([^)\s]*\)", "]", text)
    text = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$|<[^>]+>", " ", text, flags=re.DOTALL)
    return len(re.findall(r"[^\W_][\w'’-]*", text))


def reading_minutes(book: Notebook) -> int:
    """Estimate the time to read: 130 words and 12 lines of unfolded code per minute."""
    cells = [cell for cell in visible_code(book) if not FOLDED & set(tags_of(cell))]
    lines = sum(bool(line.strip()) for cell in cells for line in cell.source.splitlines())
    return max(1, round(count_words(text_of(book)) / 130 + lines / 12))


def mentioned_terms(book: Notebook, terms: Iterable[Term]) -> set[str]:
    """List the anchors of the terms that a chapter's prose mentions or links."""
    return {anchor for anchor, _ in _mentions(book, terms)}


def read_symbols(text: str) -> dict[str, list[str]]:
    r"""Read the tables of symbols of a text: for each symbol the meaning of each of its rows.

    >>> read_symbols("| symbol | meaning |\n|---|---|\n| $H, W$ | height and width |")
    {'H': ['height and width'], 'W': ['height and width']}
    """
    rows: dict[str, list[str]] = {}
    inside = False
    for line in text.splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if cells[0].lower() == "symbol":
            inside = True
        elif inside and not set(cells[0]) <= set(":- "):
            for formula in re.findall(r"\$([^$]+)\$", cells[0]):
                for symbol in re.split(r",\s*(?![^{(]*[})])", formula):
                    rows.setdefault(symbol.strip(), []).append(cells[-1])
    return rows


def letters_of(formula: str) -> set[str]:
    r"""List the symbols of a formula; indices, exponents, words and operators left out.

    >>> sorted(letters_of(r"\hat{M}_{ij} = \sigma(Z_{ij}) \text{ if } \log x^2 > \tau"))
    ['Z', '\\hat{M}', '\\sigma', '\\tau', 'x']
    """
    formula = re.sub(
        r"\\(?:text|mathrm|operatorname|mathbb|begin|end|tag|label)\*?\s*\{[^{}]*\}", " ", formula
    )
    shorter = ""
    while shorter != formula:
        shorter = formula
        formula = re.sub(r"[_^]\s*(?:\{[^{}]*\}|\\[A-Za-z]+|[^\s{\\])", " ", formula)
    pattern = rf"\\(?:{_ACCENTS})\s*(?:\{{[^{{}}]*\}}|[A-Za-z])|\\[A-Za-z]+|[A-Za-z]"
    tokens = re.findall(pattern, formula)
    return {
        token
        for token in tokens
        if token[0] != "\\" or re.fullmatch(rf"{_GREEK}|\\(?:{_ACCENTS})\W.*", token)
    }


def _name(cell: Notebook) -> str:
    return f"the code cell '{cell.source.strip().splitlines()[0][:50]}'"


def _has_figure(cell: Notebook) -> bool:
    for output in cell.outputs:
        data = output.get("data", {})
        if "image/png" in data or "image/jpeg" in data:
            return True
        if re.search(r"<(?:svg|img)\b", data.get("text/html", "")):
            return True
    return False


def _comprehension_levels(node: ast.AST, level: int = 0) -> Iterator[int]:
    """List the level of every comprehension; each further `for` of one counts as a level."""
    if isinstance(node, COMPREHENSIONS):
        for _ in node.generators:
            level += 1
            yield level
    for child in ast.iter_child_nodes(node):
        yield from _comprehension_levels(child, level)


def _exercise_sections(book: Notebook) -> Iterator[tuple[str, str, list[Notebook]]]:
    """Split the chapter into its exercises: heading, text, code cells."""
    sections: list[tuple[str, str, list[Notebook]]] = []
    heading, text, cells = "", "", []
    for cell in book.cells:
        if cell.cell_type == "code":
            cells.append(cell)
            continue
        for piece in re.split(r"^(?=#{2,3} )", cell.source, flags=re.MULTILINE):
            if re.match(r"#{2,3} ", piece):
                sections.append((heading, text, cells))
                heading, text, cells = piece.partition("\n")[0].lstrip("# ").strip(), "", []
            text += piece
    sections.append((heading, text, cells))
    return (part for part in sections if part[0].startswith("Exercise"))


def _checkers(cells: list[Notebook]) -> Iterator[str]:
    """List what is wrong with stubs, checkers and solutions of visible code cells."""
    for place, cell in enumerate(cells):
        if is_solution(cell):
            stub = cells[place - 2] if place >= 2 else None
            if stub is None or stub.metadata.get("risbook", {}).get("role") != "stub":
                yield f"{_name(cell)} has no stub and checker right before it"
            if "check_solution(" not in cell.source or cell.outputs:
                yield f"{_name(cell)} does not call check_solution, or prints something"
        elif re.search(r"\b(?:check|check_value|compare_prediction)\(\s*f?[\"']", cell.source):
            lines = printed(cell).strip().splitlines()
            if len(lines) != 1 or "not attempted yet" not in lines[0]:
                yield f"{_name(cell)} does not print exactly one line 'not attempted yet'"


def _without_code(text: str) -> str:
    """Take code and formulas out of Markdown."""
    text = re.sub(r"^```.*?^```", " ", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`]*`|\$\$.*?\$\$|\$[^$\n]+\$|<code>.*?</code>", " ", text, flags=re.DOTALL)


def _mentions(book: Notebook, terms: Iterable[Term]) -> Iterator[tuple[str, str]]:
    """List the terms in the order of the prose: the anchor, and the word if it is no link.

    The header, headings, boxes, folded text, code, formulas and other links do not count:
    the book translates no Markdown inside HTML.
    """
    anchors = {}
    for term in terms:
        for name in term.names:
            pattern = re.escape(name.lower()).replace(r"\ ", r"\s+")
            anchors[pattern] = term.anchor
    longest_first = sorted(anchors, key=len, reverse=True)
    names = "|".join(f"({_with_plural(pattern)})" for pattern in longest_first)
    words = re.compile(rf"\0([^\0]*)\0|(?<![\w-])(?:{names})(?![\w-])", re.IGNORECASE)
    for cell in book.cells[1:]:
        if cell.cell_type != "markdown":
            continue
        text = re.sub(r"^#{1,6} .*$", " ", _without_code(cell.source), flags=re.MULTILINE)
        text = re.sub(r"<(div|details)\b.*?</\1>", " ", text, flags=re.DOTALL)
        text = re.sub(r"\[[^\]]*\]\([^)]*glossary\.md#([^)]*)\)", "\0\\1\0", text)
        text = re.sub(r"!?\[[^\]]*\]\([^)]*\)|<[^>]+>", " ", text)
        for match in words.finditer(text):
            if match[1] is not None:
                yield match[1], ""
            elif match.lastindex:
                yield anchors[longest_first[match.lastindex - 2]], match[0]


def _with_plural(pattern: str) -> str:
    return rf"{pattern[:-1]}(?:y|ies)" if pattern.endswith("y") else rf"{pattern}(?:s|es)?"


def _formulas(text: str) -> list[str]:
    pairs = re.findall(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", text, re.DOTALL)
    return [display or inline for display, inline in pairs]


def _agree(left: str, right: str) -> bool:
    """Say whether one meaning begins like the other; the first clause of each counts."""
    clauses = []
    for meaning in (left, right):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)|[*`$]", r"\1", meaning).lower()
        clauses.append(" ".join(re.split(r"[,;:(.]", plain)[0].split()))
    return clauses[0] in clauses[1] or clauses[1] in clauses[0]
