"""A Sphinx extension of one idea: entries of the reference read as their docstrings do.

Pydantic writes its checks into the annotations of a configuration, as in ``Annotated[int,
FieldInfo(...)]``; an entry shows ``int``. Napoleon takes what stands before a colon in the comment
of an attribute for its type; an entry shows the sentence.
"""

from collections.abc import Sequence
from typing import Any

_ANNOTATED = "Annotated["


def without_checks(signature: str) -> str:
    """Return a signature in which each ``Annotated[T, ...]`` is T.

    Args:
        signature: arguments as Python writes them, with balanced brackets.
    """
    start = signature.find(_ANNOTATED)
    if start < 0:
        return signature
    inside = start + len(_ANNOTATED)
    depth, end_of_type = 1, None
    for place in range(inside, len(signature)):
        character = signature[place]
        depth += (character in "[({") - (character in "])}")
        if character == "," and depth == 1 and end_of_type is None:
            end_of_type = place
        if depth == 0:
            kept = signature[inside : place if end_of_type is None else end_of_type]
            return without_checks(signature[:start] + kept + signature[place + 1 :])
    return signature


def shorten_signature(
    app: Any, what: str, name: str, item: Any, options: Any, signature: str | None, returned: str
) -> tuple[str | None, str]:
    """Return the signature of one entry and what it returns, as `without_checks` writes it."""
    return signature and without_checks(signature), returned


def keep_sentence(
    app: Any, what: str, name: str, item: Any, options: Any, lines: Sequence[str]
) -> None:
    """Write the first colon of an attribute's comment as a dash, in place."""
    if what in ("attribute", "data", "property") and lines and isinstance(lines, list):
        lines[0] = lines[0].replace(": ", " \N{EN DASH} ", 1)


def setup(app: Any) -> dict[str, bool]:
    """Register the extension; its listener of docstrings runs before napoleon's."""
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("autodoc-process-docstring", keep_sentence, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
