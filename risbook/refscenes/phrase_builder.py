"""From a `Description` to English words: short as people type them, or full sentences.

Nothing is decided here about the scene. Words are chosen among those that `grammar` gives the
same meaning, so that one description can be said in many ways.
"""

import random
from collections.abc import Sequence
from typing import TypeVar

from risbook.refscenes.scene_types import CATEGORIES
from risbook.refscenes.semantics import NOUNS, Description, Place, Relation, Trait

_T = TypeVar("_T")
_PEOPLE = {noun for noun, kinds in NOUNS.items() if kinds[0] in CATEGORIES["people"]}
_ORDINALS = {2: "second", 3: "third", 4: "fourth", 5: "fifth", 6: "sixth"}
#: kinds that a full sentence may call standing or parked
_STANDING = {*_PEOPLE, "dog", "sheep", "horse"}
_PARKED = {"car", "bus", "bike", "bicycle"}


def pick(rng: random.Random, options: Sequence[_T]) -> _T:
    """Draw one option; built on ``random()`` alone, whose stream Python keeps stable."""
    return options[int(rng.random() * len(options))]


def with_article(article: str, words: str) -> str:
    """Put an article before words: "" for none, and "an" for "a" before a vowel.

    >>> with_article("a", "orange mug")
    'an orange mug'
    """
    if article == "a" and words[0] in "aeiou":
        article = "an"
    return f"{article} {words}".strip()


class PhraseBuilder:
    """Says descriptions.

    Args:
        rng: chooses among wordings.
        full: whole phrases with articles and verbs, as in G-Ref, or short ones as in RefCOCO.
        crowd: how many candidates the place and size words choose from, by place.
    """

    def __init__(self, *, rng: random.Random, full: bool, crowd: dict[Place, int]) -> None:
        self.rng = rng
        self.full = full
        self.crowd = crowd
        self.articled = full or rng.random() < 0.22
        #: the article of garments and held things
        self.inner = (
            pick(rng, ("a", "a", "a", "a", "the")) if full else pick(rng, ("", "", "", "a", "the"))
        )

    def say(self, description: Description, *, article: str = "") -> str:
        """Words of a description, lower-case and without punctuation.

        Args:
            description: what to say.
            article: article to begin with if articles are used; "" to choose one.
        """
        before: list[str] = []
        after: list[str] = []
        definite = False
        for place in description.places:
            is_size = place.what in ("big", "small")
            definite = definite or not is_size
            (self._size if is_size else self._place)(place, description, before, after)
        ranked = next((w for w in before if w.startswith("@")), "")
        before = [w for w in before if not w.startswith("@")]
        core, tail = self._core(description)
        words = [*before, core]
        if ranked:
            words.append(ranked[1:])
        words += tail
        if self.full and after and self.rng.random() < 0.45:
            after.insert(0, self._link(description, after[0]))
        words += after
        if description.relation is not None:
            words.append(self._relation(description, description.relation))
        if self.articled:
            article = article or ("the" if definite else pick(self.rng, ("a", "the", "the")))
        elif self.full is False:
            article = ""
        text = " ".join(word for word in words if word)
        return with_article(article, text)

    def _core(self, description: Description) -> tuple[str, list[str]]:
        """Noun with its adjectives, and the phrases that follow it."""
        rng, noun = self.rng, description.noun
        by_what = {trait.what: trait for trait in description.traits}
        tail: list[str] = []
        if "facing" in by_what:
            tail.append(f"{pick(rng, ('facing', 'looking'))} {by_what['facing'].form}")
        if noun not in _PEOPLE:
            adjectives = [
                word for t in description.traits if t.what == "body" for word in self._body(t)
            ]
            if rng.random() < 0.3:
                adjectives.reverse()
            return " ".join([*adjectives, noun]), tail
        only = description.traits[0] if len(description.traits) == 1 else None
        if only and not self.full and only.what in ("shirt", "hat") and only.colour:
            item = self._item(only, "")
            if noun == "person" and rng.random() < 0.6:
                return item, []
            if rng.random() < 0.12:
                return f"{item} {noun}", []
        return noun, [*self._clothes(by_what), *tail]

    def _body(self, trait: Trait) -> list[str]:
        pattern = trait.form
        if pattern == "spotted" and self.rng.random() < 0.2:
            pattern = "dotted"
        return [word for word in (pattern, trait.colour) if word]

    def _item(self, trait: Trait, article: str) -> str:
        """A garment or held thing: "a red striped shirt"."""
        if trait.what == "shirt":
            words = [*self._body(trait), "shirt"]
            if self.rng.random() < 0.4 and len(words) == 3:
                words[:2] = words[1::-1]
        else:
            words = [trait.colour, trait.form]
        text = " ".join(word for word in words if word)
        if trait.what == "lower" and trait.form != "skirt" and article == "a":
            article = ""
        return with_article(article, text)

    def _clothes(self, by_what: dict[str, Trait]) -> list[str]:
        rng, inner = self.rng, self.inner
        parts: list[str] = []
        worn = [by_what[what] for what in ("shirt", "lower") if what in by_what]
        verb = pick(rng, ("in", "in", "in", "wearing", "with"))
        if "in" in by_what:
            colour = by_what["in"].colour
            parts.append(f"{'wearing' if verb == 'wearing' else 'in'} {colour}")
            verb = "with"
        if worn:
            and_ = " and " if self.full or rng.random() < 0.8 else " "
            parts.append(f"{verb} " + and_.join(self._item(trait, inner) for trait in worn))
        if "hat" in by_what:
            item = self._item(by_what["hat"], inner)
            choices = ("with", "in", "wearing") if not worn else ("with", "and")
            lead = pick(rng, choices)
            if lead == "and" and ("lower" in by_what or verb != "wearing"):
                lead = "with"
            parts.append(f"{lead} {item}")
        if "bare" in by_what:
            parts.append(
                pick(rng, ("without a hat", "with no hat"))
                if self.full
                else pick(rng, ("without hat", "with no hat", "no hat", "without a hat"))
            )
        if "held" in by_what:
            lead = pick(rng, ("holding", "holding", "with"))
            if lead == "with" and parts:
                lead = "holding"
            if parts and self.full and parts[-1].startswith("wearing") and rng.random() < 0.5:
                lead = "and holding"
            parts.append(f"{lead} {self._item(by_what['held'], inner)}")
        return parts

    def _size(self, place: Place, d: Description, before: list[str], after: list[str]) -> None:
        pair = self.crowd.get(place, 2) == 2
        if d.noun in _PEOPLE:
            stem = "tall" if place.what == "big" else "short"
            words = (stem, f"{stem}er" if pair else f"{stem}est", f"{stem}est")
        elif place.what == "big":
            words = ("big", "bigger", "larger") if pair else ("biggest", "largest", "big")
        else:
            words = ("small", "smaller", "little") if pair else ("smallest", "small", "little")
        before.append(pick(self.rng, words))

    def _place(self, place: Place, d: Description, before: list[str], after: list[str]) -> None:
        """Add the words of a place: before the noun, or after everything that belongs to it."""
        rng, full, side = self.rng, self.full, place.side
        many = self.crowd.get(place, 1) >= 3
        early = not before and rng.random() < (0.3 if full else 0.5)
        picture = pick(rng, ("picture", "image", "photo"))
        the = "the " if full or rng.random() < 0.4 else ""
        if place.what == "nth":
            order = _ORDINALS[place.rank]
            from_side = f"from {the}{side}"
            if place.bare:
                after.append(f"{order} {from_side}")
            else:
                before += [order, f"@{from_side}"]
            return
        if place.what == "side":
            if side == "middle":
                after.append(f"in {the}middle of {the}{picture}")
            else:
                of = f" of the {picture}" if full else ""
                after.append(f"on {the}{side} side{of}")
            return
        options: tuple[tuple[str, ...], tuple[str, ...]]
        if place.what in ("left", "right"):
            side = place.what
            options = ((side,), (f"on the {side}", f"on {the}{side}", f"to the {side}"))
            if not full:
                options = (options[0], (f"on {the}{side}", f"on {the}{side}", side))
            if many:
                far = f"on {the}far {side}"
                options = (
                    (*options[0], f"{side}most", f"far {side}"),
                    (*options[1], far, far if full else f"far {side}"),
                )
        elif place.what == "middle":
            options = (
                ("middle", "middle", "center"),
                (f"in {the}middle", f"in {the}middle", f"in {the}center"),
            )
        elif place.what == "front":
            us = pick(rng, ("us", "the camera")) if not full else "the camera"
            options = (
                ("front", "closest", "nearest", "front"),
                ("in front", f"in {the}front", f"closest to {us}", f"nearest to {us}"),
            )
        else:
            us = pick(rng, ("us", "the camera")) if not full else "the camera"
            options = (
                ("back", "back", "farthest"),
                (f"in {the}back", "at the back", "farthest away", f"farthest from {us}"),
            )
        (before if early else after).append(pick(rng, options[0 if early else 1]))

    def _link(self, d: Description, following: str) -> str:
        """The verb between a noun and where it is."""
        who = "who" if d.noun in _PEOPLE else "that"
        choices = [f"{who} is"]
        if d.noun in _STANDING:
            choices += ["standing", "standing", f"{who} is standing"]
        if d.noun in _PARKED:
            choices += ["parked", f"{who} is parked"]
        return pick(self.rng, choices)

    def _relation(self, d: Description, relation: Relation) -> str:
        rng, what = self.rng, relation.what
        names = [
            self.say(other, article="the" if self.articled else "") for other in relation.others
        ]
        if what in ("left", "right"):
            words = f"to the {what} of" if self.full or rng.random() < 0.4 else f"{what} of"
        elif what == "next":
            words = pick(rng, ("next to", "next to", "beside"))
        else:
            words = {"behind": "behind", "front": "in front of", "between": "between"}[what]
        link = ""
        if self.full and rng.random() < 0.75:
            link = self._link(d, words) + " "
        elif not self.full and d.noun in _STANDING and rng.random() < 0.1:
            link = "standing "
        return f"{link}{words} {' and '.join(names)}"
