"""The reader's stub of an exercise, derived from its solution.

In the notebook an exercise is: a description, the stub, the checker, the solution. The author
writes the checker and, right after it, a code cell tagged ``solution``; the stub is generated
and put before the checker.

* A function keeps its signature and docstring, and its body down to a line ``# answer``; the
  rest becomes ``raise NotImplementedError``.
* ``name = value`` becomes ``name = ...``; assignments above a line ``# answer`` stay.
* A class whose name ends in ``_solution`` keeps its docstring and attributes. Its methods are
  treated as functions; a method below a line ``# given`` stays whole.
* Imports and other classes stay; any other statement, such as a call of the checker, is dropped.
* The suffix ``_solution`` is removed from every name, so that a solution never replaces what
  the reader wrote.
"""

import ast
import re

MARK = "# answer"
GIVEN = "# given"
SUFFIX = "_solution"


class StubError(ValueError):
    """A solution from which no stub can be made."""


def stub_source(solution: str) -> str:
    """Derive the stub from the source of a solution.

    >>> print(stub_source("area_solution = 3 * 4\\ncheck_solution(area_solution, 12)"))
    # Your turn: replace every `...` and every `raise NotImplementedError`.
    area = ...
    """
    lines = solution.splitlines()
    try:
        tree = ast.parse(solution)
    except SyntaxError as mistake:
        raise StubError(f"the solution is not plain Python: {mistake}") from None
    top_mark = next((n for n, line in enumerate(lines, 1) if line.rstrip() == MARK), 0)
    parts: list[str] = []
    has_question = False
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            parts += ["", "", *_function(node, lines), "", ""]
            has_question = True
        elif isinstance(node, ast.ClassDef) and node.name.endswith(SUFFIX):
            parts += ["", "", *_class(node, lines), "", ""]
            has_question = True
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.lineno > top_mark:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            parts.append(" = ".join(ast.unparse(target) for target in targets) + " = ...")
            has_question = True
        elif isinstance(node, ast.Import | ast.ImportFrom | ast.ClassDef | ast.Assign):
            parts += lines[node.lineno - 1 : node.end_lineno]
    if not has_question:
        raise StubError("the solution defines no function and assigns no name")
    text = "\n".join(parts).strip("\n")
    while "\n\n\n\n" in text:
        text = text.replace("\n\n\n\n", "\n\n\n")
    text = re.sub(rf"\b(\w+){SUFFIX}\b", r"\1", text)
    return f"# Your turn: replace every `...` and every `raise NotImplementedError`.\n{text}"


def _function(node: ast.FunctionDef, lines: list[str]) -> list[str]:
    start = _first_line(node)
    first = node.body[0]
    docstring = ast.get_docstring(node) is not None
    kept = lines[start : (first.end_lineno or first.lineno) if docstring else first.lineno - 1]
    body = lines[len(kept) + start : node.end_lineno]
    marks = [n for n, line in enumerate(body) if line.strip() == MARK]
    if marks:
        kept += body[: marks[0]]
    elif not docstring:  # comments above the first statement may give the answer away
        while kept and kept[-1].strip().startswith("#"):
            kept.pop()
    return [*kept, " " * first.col_offset + "raise NotImplementedError"]


def _class(node: ast.ClassDef, lines: list[str]) -> list[str]:
    """Keep the head, the docstring and the attributes; treat methods as functions."""
    kept = lines[_first_line(node) : _first_line(node.body[0])]
    while kept[-1].strip() in ("", GIVEN):
        kept.pop()
    for member in node.body:
        start = _first_line(member)
        source = lines[start : member.end_lineno]
        if isinstance(member, ast.FunctionDef):
            given = lines[start - 1].strip() == GIVEN
            source = ["", *(source if given else _function(member, lines))]
        kept += source
    return kept


def _first_line(node: ast.stmt) -> int:
    """Return the index of a statement's first line, its decorators included."""
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)]) - 1
