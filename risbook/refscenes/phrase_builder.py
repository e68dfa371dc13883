"""From a `Description` to English words: short as players type them, or full phrases.

Nothing is decided here about the scene. Words are chosen among those that `semantics` gives the
same meaning, so one description has many wordings.
"""

import random

from risbook.refscenes.annotation_styles import choose
from risbook.refscenes.descriptions import NOUNS, Attribute, Description, Relation, Selector
from risbook.refscenes.scene_types import CATEGORIES

_PERSON_NOUNS = {noun for noun, means in NOUNS.items() if means[0] in CATEGORIES["people"]}
_ORDINALS = {2: "second", 3: "third", 4: "fourth", 5: "fifth", 6: "sixth"}
#: nouns that full phrases call standing or parked
_STANDING = {*_PERSON_NOUNS, "dog", "sheep", "horse"}
_PARKED = {"car", "bus", "bike", "bicycle"}


def with_article(article: str, words: str) -> str:
    """Put an article before words: "" for none, and "an" for "a" before a vowel.

    >>> with_article("a", "orange mug")
    'an orange mug'
    """
    if article == "a" and words[0] in "aeiou":
        article = "an"
    return f"{article} {words}".strip()


class PhraseBuilder:
    """Builds the words of one description and of its anchors.

    Args:
        rng: chooses among wordings.
        full_phrases: whole phrases with articles and verbs, as in G-Ref; or short, as in RefCOCO.
        counts: selector -> number of candidates that it selects from.
    """

    def __init__(
        self, *, rng: random.Random, full_phrases: bool, counts: dict[Selector, int]
    ) -> None:
        self.rng = rng
        self.full = full_phrases
        self.counts = counts
        self.articles = full_phrases or rng.random() < 0.22
        #: the article of garments and held objects
        self.item_article = choose(
            rng, ("a", "a", "a", "a", "the") if full_phrases else ("", "", "", "a", "the")
        )

    def build(self, description: Description, *, article: str = "") -> str:
        """Build the words of a description, lower-case and without punctuation.

        Args:
            description: the content.
            article: the first word if articles are used; "" to choose one.
        """
        before: list[str] = []
        after: list[str] = []
        rank_origin: list[str] = []
        for selector in description.selectors:
            if selector.name in ("big", "small"):
                before.append(self._size(selector, description.noun))
            else:
                self._add_location(selector, before, rank_origin, after)
        head, modifiers = self._noun_phrase(description)
        words = [*before, head, *rank_origin, *modifiers]
        if self.full and after and self.rng.random() < 0.45:
            after.insert(0, self._verb(description.noun))
        words += after
        if description.relation is not None:
            words.append(self._relation(description.noun, description.relation))
        text = " ".join(word for word in words if word)
        if not self.articles:
            return text
        definite = any(s.name not in ("big", "small") for s in description.selectors)
        article = article or ("the" if definite else choose(self.rng, ("a", "the", "the")))
        return with_article(article, text)

    def _noun_phrase(self, description: Description) -> tuple[str, list[str]]:
        """The noun with its adjectives, and the phrases that follow it."""
        rng, noun = self.rng, description.noun
        by_name = {attribute.name: attribute for attribute in description.attributes}
        if noun not in _PERSON_NOUNS:
            modifiers: list[str] = []
            if "facing" in by_name:
                modifiers.append(f"{choose(rng, ('facing', 'looking'))} {by_name['facing'].value}")
            adjectives = self._adjectives(by_name["body"]) if "body" in by_name else []
            if rng.random() < 0.3:
                adjectives.reverse()
            return " ".join([*adjectives, noun]), modifiers
        only = description.attributes[0] if len(description.attributes) == 1 else None
        if only and not self.full and only.name in ("shirt", "hat") and only.colour:
            item = self._item(only, "")
            if noun == "person" and rng.random() < 0.6:
                return item, []
            if rng.random() < 0.12:
                return f"{item} {noun}", []
        return noun, self._clothes(by_name)

    def _adjectives(self, attribute: Attribute) -> list[str]:
        pattern = attribute.value
        if pattern == "spotted" and self.rng.random() < 0.2:
            pattern = "dotted"
        return [word for word in (pattern, attribute.colour) if word]

    def _item(self, attribute: Attribute, article: str) -> str:
        """A garment or held object: "a red striped shirt"."""
        if attribute.name == "shirt":
            words = [*self._adjectives(attribute), "shirt"]
            if self.rng.random() < 0.4 and len(words) == 3:
                words[:2] = words[1::-1]
        else:
            words = [attribute.colour, attribute.value]
        if attribute.name == "lower" and attribute.value != "skirt" and article == "a":
            article = ""
        return with_article(article, " ".join(word for word in words if word))

    def _clothes(self, by_name: dict[str, Attribute]) -> list[str]:
        rng, article = self.rng, self.item_article
        phrases: list[str] = []
        worn = [by_name[name] for name in ("shirt", "lower") if name in by_name]
        verb = choose(rng, ("in", "in", "in", "wearing", "with"))
        if "clothes" in by_name:
            colour = by_name["clothes"].colour
            phrases.append(f"{'wearing' if verb == 'wearing' else 'in'} {colour}")
            verb = "with"
        if worn:
            and_ = " and " if self.full or rng.random() < 0.8 else " "
            items = and_.join(self._item(attribute, article) for attribute in worn)
            phrases.append(f"{verb} {items}")
        if "hat" in by_name:
            item = self._item(by_name["hat"], article)
            preposition = choose(rng, ("with", "and") if worn else ("with", "in", "wearing"))
            if preposition == "and" and ("lower" in by_name or verb != "wearing"):
                preposition = "with"
            phrases.append(f"{preposition} {item}")
        if "bareheaded" in by_name:
            short = ("without hat", "with no hat", "no hat", "without a hat")
            phrases.append(choose(rng, ("without a hat", "with no hat") if self.full else short))
        if "held" in by_name:
            preposition = choose(rng, ("holding", "holding", "with"))
            if preposition == "with" and phrases:
                preposition = "holding"
            if phrases and self.full and phrases[-1].startswith("wearing") and rng.random() < 0.5:
                preposition = "and holding"
            phrases.append(f"{preposition} {self._item(by_name['held'], article)}")
        return phrases

    def _size(self, selector: Selector, noun: str) -> str:
        comparative, big = self.counts[selector] == 2, selector.name == "big"
        if noun in _PERSON_NOUNS:
            stem = "tall" if big else "short"
            words = (stem, f"{stem}er" if comparative else f"{stem}est", f"{stem}est")
        elif big:
            words = ("big", "bigger", "larger") if comparative else ("biggest", "largest", "big")
        else:
            small = ("small", "smaller") if comparative else ("smallest", "small")
            words = (*small, "little")
        return choose(self.rng, words)

    def _add_location(
        self, selector: Selector, before: list[str], rank_origin: list[str], after: list[str]
    ) -> None:
        """Add the words of a location before the noun or after all that belongs to it."""
        rng, full, side = self.rng, self.full, selector.side
        as_adjective = not before and rng.random() < (0.3 if full else 0.5)
        image = choose(rng, ("picture", "image", "photo"))
        the = "the " if full or rng.random() < 0.4 else ""
        if selector.name == "nth":
            ordinal, origin = _ORDINALS[selector.rank], f"from {the}{side}"
            if selector.by_noun:
                after.append(f"{ordinal} {origin}")
            else:
                before.append(ordinal)
                rank_origin.append(origin)
        elif selector.name == "side" and side == "middle":
            after.append(f"in {the}middle of {the}{image}")
        elif selector.name == "side":
            after.append(f"on {the}{side} side" + (f" of the {image}" if full else ""))
        else:
            adjectives, phrases = self._location_wordings(selector, the)
            if as_adjective:
                before.append(choose(rng, adjectives))
            else:
                after.append(choose(rng, phrases))

    def _location_wordings(self, selector: Selector, the: str) -> tuple[list[str], list[str]]:
        """Wordings of a location before the noun, and behind it; "the" is "" or "the "."""
        full, name = self.full, selector.name
        if name in ("left", "right"):
            on_side = f"on {the}{name}"
            phrases = [f"on the {name}", on_side, f"to the {name}"]
            if not full:
                phrases = [on_side, on_side, name]
            if self.counts[selector] < 3:
                return [name], phrases
            far = f"on {the}far {name}"
            phrases += [far, far if full else f"far {name}"]
            return [name, f"{name}most", f"far {name}"], phrases
        if name == "middle":
            in_middle = f"in {the}middle"
            return ["middle", "middle", "center"], [in_middle, in_middle, f"in {the}center"]
        viewer = "the camera" if full else choose(self.rng, ("us", "the camera"))
        if name == "front":
            phrases = ["in front", f"in {the}front", f"closest to {viewer}", f"nearest to {viewer}"]
            return ["front", "closest", "nearest", "front"], phrases
        phrases = [f"in {the}back", "at the back", "farthest away", f"farthest from {viewer}"]
        return ["back", "back", "farthest"], phrases

    def _verb(self, noun: str) -> str:
        """The verb between a noun and its location or relation."""
        pronoun = "who" if noun in _PERSON_NOUNS else "that"
        verbs = [f"{pronoun} is"]
        if noun in _STANDING:
            verbs += ["standing", "standing", f"{pronoun} is standing"]
        if noun in _PARKED:
            verbs += ["parked", f"{pronoun} is parked"]
        return choose(self.rng, verbs)

    def _relation(self, noun: str, relation: Relation) -> str:
        rng, name = self.rng, relation.name
        article = "the" if self.articles else ""
        anchors = [self.build(anchor, article=article) for anchor in relation.anchors]
        if name in ("left", "right"):
            preposition = f"to the {name} of" if self.full or rng.random() < 0.4 else f"{name} of"
        elif name == "next":
            preposition = choose(rng, ("next to", "next to", "beside"))
        else:
            preposition = "in front of" if name == "front" else name
        verb = ""
        if self.full and rng.random() < 0.75:
            verb = self._verb(noun) + " "
        elif not self.full and noun in _STANDING and rng.random() < 0.1:
            verb = "standing "
        return f"{verb}{preposition} {' and '.join(anchors)}"
