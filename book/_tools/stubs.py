"""The reader's stub of an exercise, derived from its solution.

In the notebook an exercise is: a description, the stub, the checker, the solution. The author
writes the checker and, right after it, a code cell tagged ``solution``; the stub is generated
and put before the checker.

* A function keeps its signature and docstring, and its body down to a line ``# answer``; the
  rest becomes ``raise NotImplementedError``.
* ``name = value`` becomes ``name = ...``; assignments above a line ``# answer`` stay.
* Imports and classes stay; any other statement, such as a call of the checker, is dropped.
"""

import ast

MARK = "# answer"


class StubError(ValueError):
    """A solution from which no stub can be made."""


def stub_source(solution: str) -> str:
    """Derive the stub from the source of a solution.

    >>> print(stub_source("area = 3 * 4\\ncheck_value('E', area, 12)"))
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
    return f"# Your turn: replace every `...` and every `raise NotImplementedError`.\n{text}"


def _function(node: ast.FunctionDef, lines: list[str]) -> list[str]:
    start = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
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
