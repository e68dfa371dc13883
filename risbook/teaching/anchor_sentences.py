"""Sentences whose second object, the anchor, decides which object is meant."""

import re

from risbook.teaching.examples import Example
from risbook.teaching.word_functions import word_functions

_RELATION = re.compile(r"\b((left|right) of|next to|beside|behind|in front of)\b")


def needs_anchor(example: Example) -> bool:
    """Whether a sentence has a relation, and the words before it fit several objects of the image.

    The words before the relation name a category that several objects share, without an
    attribute and without a location. So only the second object, the anchor, can decide.

    Args:
        example: a sentence with the objects of its image, from `load_examples`.
    """
    match = _RELATION.search(example.sentence)
    if match is None or len(example.same_category) == 1:
        return False
    functions = word_functions(example.sentence[: match.start()])
    return not functions["attribute"] and not functions["location"]


def names_side(example: Example) -> bool:
    """Whether the relation of a sentence is *left of* or *right of*.

    Args:
        example: a sentence with a relation.
    """
    return re.search(r"\b(left|right) of\b", example.sentence) is not None


def drop_anchor(sentence: str) -> str:
    """Cut a sentence behind its first relation, so that it no longer names the anchor.

    Args:
        sentence: a normalised sentence; without a relation it stays as it is.

    >>> drop_anchor("kid in front of lady")
    'kid in front of'
    """
    match = _RELATION.search(sentence)
    return sentence if match is None else sentence[: match.end()]
