"""A Sphinx extension of one idea: the terms of the glossary can be linked and searched.

The page is plain Markdown, so that it reads well on GitHub and in JupyterLab too. A term is one
paragraph that begins with an anchor, its names, and the Korean names:

    <span id="mask"></span>**mask, segmentation mask** (마스크): One value per pixel ...

Notebooks link to it by ``[masks](../glossary.md#mask)``.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE = "glossary"
_TERM = re.compile(
    r'^<span id="(?P<anchor>[a-z0-9-]+)"></span>\*\*(?P<names>[^*]+)\*\* '
    r"\((?P<korean>[^)]+)\): (?P<meaning>\S.+)$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Term:
    """One term: its anchor, its English and its Korean names, and what it means."""

    anchor: str
    names: tuple[str, ...]
    korean: tuple[str, ...]
    meaning: str


def read_terms(text: str) -> list[Term]:
    """Read the terms of a glossary page, in the page's order.

    Raises:
        ValueError: A line has an anchor, but not the form of a term.

    >>> text = '<span id="mask"></span>**mask** (마스크): One value per pixel.'
    >>> [(term.anchor, term.names, term.korean) for term in read_terms(text)]
    [('mask', ('mask',), ('마스크',))]
    """
    terms = []
    for line in text.splitlines():
        match = _TERM.match(line)
        if match:
            names = tuple(name.strip() for name in match["names"].split(","))
            korean = tuple(name.strip() for name in match["korean"].split(","))
            terms.append(Term(match["anchor"], names, korean, match["meaning"]))
        elif "<span id=" in line:
            raise ValueError(
                f"glossary: {line[:60]!r} is not of the form "
                '<span id="anchor"></span>**names** (한국어): meaning'
            )
    return terms


def enter_terms(app: Any, doctree: Any) -> None:
    """Make every term a target of links and an entry of the index, which the search lists."""
    from sphinx.addnodes import index  # the tests read terms where Sphinx is not installed

    env = app.env
    if env.docname.rpartition("/")[2] != PAGE:
        return
    slugs = dict(env.metadata[env.docname].get("myst_slugs", {}))
    entries = []
    for term in read_terms(Path(env.doc2path(env.docname)).read_text(encoding="utf-8")):
        slugs[term.anchor] = (0, term.anchor, term.names[0])
        for name in term.names + term.korean:
            entries.append(("single", name, term.anchor, "", None))
    env.metadata[env.docname]["myst_slugs"] = slugs
    doctree.append(index(entries=entries))


def setup(app: Any) -> dict[str, bool]:
    """Register the extension."""
    app.connect("doctree-read", enter_terms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
