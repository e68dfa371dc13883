"""A Sphinx extension of one idea: the answer to a prediction is folded once.

After a box *Your prediction* a folded cell (tag ``hide-cell``) shows the result, and a text cell
``<details><summary>Answer</summary>...`` explains it. In Colab and JupyterLab these are two folds.
In the book the second one is open, and the style sheet hides it until the cell is opened.
"""

from typing import Any

from docutils import nodes

ANSWER = "<details><summary>Answer</summary>"
OPEN_ANSWER = '<details class="ris-answer" open><summary>Answer</summary>'


def join_answers(app: Any, doctree: nodes.document) -> None:
    """Open every answer that follows a folded cell, with at most a caption between the two."""
    for cell in list(doctree.findall(nodes.container)):
        answer = _answer_after(cell) if "tag_hide-cell" in cell["classes"] else None
        if answer is not None:
            text = answer.astext().replace(ANSWER, OPEN_ANSWER, 1)
            answer.parent.replace(answer, nodes.raw("", text, format="html"))
            cell["prompt_show"], cell["prompt_hide"] = "Show the answer", "Hide the answer"


def _answer_after(cell: nodes.Element) -> nodes.raw | None:
    siblings = cell.parent.children
    below = [
        node
        for node in siblings[siblings.index(cell) + 1 :]
        if "ris-caption" not in node.get("classes", []) and "tag_remove-cell" not in node["classes"]
    ]
    if below and isinstance(below[0], nodes.raw) and below[0].astext().startswith(ANSWER):
        return below[0]
    return None


def setup(app: Any) -> dict[str, bool]:
    """Register the extension; it follows `figure_captions`, which marks the captions."""
    app.connect("doctree-read", join_answers, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
