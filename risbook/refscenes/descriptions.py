"""Descriptions: the logical form of a referring expression, before any words are chosen.

The parts follow the attributes that ReferItGame (Kazemzadeh et al., 2014) annotates:
category, colour and other attributes, size, absolute location, relation to another object.
"""

from dataclasses import dataclass

from risbook.refscenes.scene_types import CATEGORIES

#: noun -> the categories that it can mean
NOUNS: dict[str, tuple[str, ...]] = {
    **{category: (category,) for categories in CATEGORIES.values() for category in categories},
    "guy": ("man",), "lady": ("woman",), "kid": ("child",), "person": CATEGORIES["people"],
    "animal": CATEGORIES["animals"], "vehicle": CATEGORIES["vehicles"], "bike": ("bicycle",),
    "cup": ("mug",), "luggage": ("suitcase",),
}  # fmt: skip
#: category of a person -> the garment below the shirt
LOWER_GARMENT = {"man": "pants", "woman": "skirt", "child": "shorts"}
#: Categories with a front: only these are said to face left or right.
FACING_CATEGORIES = (*CATEGORIES["animals"], "car", "bus")


@dataclass(frozen=True, slots=True)
class Attribute:
    """A property of the object itself.

    Args:
        name: body, clothes, shirt, lower, hat, bareheaded, held or facing.
        colour: its colour, "" if the expression leaves it out.
        value: a pattern (body, shirt), garment (lower, hat), held object or side (facing).
    """

    name: str
    colour: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Selector:
    """A location, rank or size that selects among the candidates: "left", "second", "biggest".

    Args:
        name: left, right, middle, front, back, big, small, nth, side.
        side: left or right for nth; left, right or middle for side.
        rank: rank for nth.
        by_noun: rank among all that the noun alone denotes, not only among the candidates.
    """

    name: str
    side: str = ""
    rank: int = 0
    by_noun: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation to other described objects, the anchors.

    Args:
        name: left, right, next, behind, front or between.
        anchors: one description, two for between.
    """

    name: str
    anchors: tuple["Description", ...]


@dataclass(frozen=True, slots=True)
class Description:
    """The content of an expression, without its words."""

    noun: str
    attributes: tuple[Attribute, ...] = ()
    selectors: tuple[Selector, ...] = ()
    relation: Relation | None = None
