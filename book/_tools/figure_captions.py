"""A Sphinx extension of one idea: a caption below a figure looks like one.

A caption is a paragraph ``*Figure 1.2.3. What to see.*`` in the text cell after the figure. In
Colab and JupyterLab it is a line in italics; in the book it gets a class for the style sheet. A
page with one figure needs no number: ``*Figure. What to see.*``.
"""

import re
from typing import Any

from docutils import nodes

CAPTION = re.compile(r"Figure( \d+\.\d+\.\d+)?\. ")


def mark_captions(app: Any, doctree: nodes.document) -> None:
    """Give every paragraph that is a caption the class ``ris-caption``."""
    for paragraph in doctree.findall(nodes.paragraph):
        first = paragraph.children[0] if paragraph.children else None
        if isinstance(first, nodes.emphasis) and CAPTION.match(first.astext()):
            paragraph["classes"].append("ris-caption")


def setup(app: Any) -> dict[str, bool]:
    """Register the extension."""
    app.connect("doctree-read", mark_captions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
