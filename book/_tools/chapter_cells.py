"""What the rules of the contract take out of a notebook: its text, its code, its outputs."""

import ast
import re
from collections.abc import Iterator

import nbformat

Notebook = nbformat.NotebookNode
COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def text_of(book: Notebook) -> str:
    """Join the text cells."""
    return "\n\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")


def section(book: Notebook, heading: str) -> str:
    """Return the text below a heading of the second level."""
    pattern = rf"^## {re.escape(heading)} *\n(.*?)(?=^## |\Z)"
    match = re.search(pattern, text_of(book), re.MULTILINE | re.DOTALL)
    return match[1] if match else ""


def code_cells(book: Notebook) -> list[Notebook]:
    """List the code cells without the set-up."""
    return [
        cell
        for cell in book.cells
        if cell.cell_type == "code" and cell.metadata.get("risbook", {}).get("role") != "set-up"
    ]


def tags_of(cell: Notebook) -> list[str]:
    """List the tags of a cell."""
    return list(cell.metadata.get("tags", []))


def printed(cell: Notebook) -> str:
    """Join everything that a cell shows as plain text."""
    streams = [output.get("text", "") for output in cell.outputs]
    return "\n".join(streams + [o.get("data", {}).get("text/plain", "") for o in cell.outputs])


def count_figures(cell: Notebook, interactive: bool = True) -> int:
    """Count the images of a cell, and its interactive figures unless they are left out."""
    data = [output.get("data", {}) for output in cell.outputs]
    images = sum("image/png" in output or "image/jpeg" in output for output in data)
    frames = sum("ris-frames" in output.get("text/html", "") for output in data)
    return images + interactive * frames


def has_output(source: str) -> bool:
    """Say whether a cell prints or shows something when it runs, read off its top level."""
    body = parse(source).body
    calls = {
        ast.unparse(node.func)
        for statement in body
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef)
        for node in ast.walk(statement)
        if isinstance(node, ast.Call)
    }
    return bool(calls & {"print", "plt.show", "display"})


def parse(source: str) -> ast.Module:
    """Parse a cell, its magic lines left out; a cell that is not Python parses as empty."""
    try:
        return ast.parse(re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.MULTILINE))
    except SyntaxError:
        return ast.Module(body=[], type_ignores=[])


def bound_names(tree: ast.AST) -> Iterator[str]:
    """List the names that a module defines at its top level, imported names left out.

    >>> list(bound_names(parse("import os\\nx, y = 1, [z for z in (2, 3)]\\ndef f(a): b = a")))
    ['x', 'y', 'f']
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif not isinstance(node, ast.Lambda | COMPREHENSIONS):
            yield from bound_names(node)


def visible_code(book: Notebook) -> list[Notebook]:
    """List the code cells that the book shows, folded or not: no set-up, no guards."""
    return [cell for cell in code_cells(book) if "remove-cell" not in tags_of(cell)]


def is_solution(cell: Notebook) -> bool:
    """Say whether a cell holds the solution of an exercise."""
    return "solution" in tags_of(cell)
