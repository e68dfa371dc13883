"""What to say of an object so that only this object is meant, in the manner of three data sets.

The manners follow what the real sets are known for: RefCOCO's players typed a few words and liked
places; RefCOCO+'s were forbidden places; G-Ref's annotators wrote whole phrases at leisure.
"""

import random
import re
from dataclasses import dataclass

from risbook.refscenes.phrase_builder import PhraseBuilder, pick
from risbook.refscenes.semantics import (
    FACERS,
    LOWER,
    NOUNS,
    Description,
    Interpreter,
    Place,
    Relation,
    Trait,
)

_SPELLING = {"grey": "gray", "2nd": "second", "3rd": "third", "4th": "fourth", "5th": "fifth"}
_SYNONYMS = {kind: [noun for noun, kinds in NOUNS.items() if kinds == (kind,)] for kind in LOWER}
_SYNONYMS |= {"bicycle": ["bicycle", "bike"], "mug": ["mug", "mug", "cup"]}
_SYNONYMS |= {"suitcase": ["suitcase", "suitcase", "luggage"]}
_GENERAL = {"people": "person", "animals": "animal", "vehicles": "vehicle"}
_PLACES = tuple(Place(what) for what in ("left", "right", "middle", "front", "back"))
_SIZES = (Place("big"), Place("small"))
_SIDES = tuple(Place("side", side=side) for side in ("left", "right", "middle"))
_RELATIONS = ("left", "right", "next", "behind", "front", "between")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationStyle:
    """How a data set speaks.

    Args:
        located: places, facing and relations are allowed.
        full: whole phrases.
        traits: probability of naming 0, 1, 2 ... properties.
        related: probability of trying a relation.
        extra: probability of a place that is not needed.
        counts: probability of 1, 2, 3, 4 sentences for an object.
        words: fewest and most words wished for.
    """

    located: bool
    full: bool
    traits: tuple[float, ...]
    related: float
    extra: float
    counts: tuple[float, ...]
    words: tuple[int, int]


#: set -> its manner; sentence counts as in the real sets (1 to 4 with mean 2.8; 1 to 3 in G-Ref).
ANNOTATION_STYLES: dict[str, AnnotationStyle] = {
    "refscenes": AnnotationStyle(
        located=True, full=False, traits=(0.38, 0.5, 0.12), related=0.12, extra=0.3,
        counts=(0.04, 0.22, 0.63, 0.11), words=(1, 9),
    ),
    "refscenes+": AnnotationStyle(
        located=False, full=False, traits=(0.12, 0.55, 0.33), related=0.0, extra=0.1,
        counts=(0.04, 0.22, 0.63, 0.11), words=(1, 9),
    ),
    "refscenesg": AnnotationStyle(
        located=True, full=True, traits=(0.06, 0.44, 0.38, 0.12), related=0.6, extra=0.6,
        counts=(0.15, 0.8, 0.05), words=(8, 15),
    ),
}  # fmt: skip


def normalise(raw: str) -> str:
    """Bring a sentence into the form that the sets call ``sent``.

    Args:
        raw: as somebody typed it.

    Returns:
        Lower-case, without punctuation, with one spelling.

    >>> normalise("Grey dog, 2nd from the left.")
    'gray dog second from the left'
    """
    words = re.sub(r"[^a-z0-9 ]", "", raw.lower()).split()
    return " ".join(_SPELLING.get(word, word) for word in words)


def _share(rng: random.Random, shares: tuple[float, ...]) -> int:
    """Draw an index with the given probabilities."""
    draw = rng.random()
    for index, share in enumerate(shares):
        draw -= share
        if draw < 0:
            return index
    return len(shares) - 1


def _raw(rng: random.Random, sent: str, full: bool) -> str:
    """Undo `normalise` the way hurried people do."""
    for name, usual in _SPELLING.items():
        if usual in sent and rng.random() < (0.2 if full else 0.4):
            sent = re.sub(rf"\b{usual}\b", name, sent)
    if rng.random() < (0.5 if full else 0.15):
        sent = sent[0].upper() + sent[1:]
    if rng.random() < (0.5 if full else 0.08):
        sent += "."
    return sent


class ExpressionGenerator:
    """Finds and says expressions for the things of one scene.

    Args:
        view: the scene.
        manner: the manner to speak in.
        rng: chooses what is said and how.
    """

    def __init__(self, *, view: Interpreter, manner: AnnotationStyle, rng: random.Random) -> None:
        self.view = view
        self.manner = manner
        self.rng = rng
        self._anchors: dict[int, list[Description]] = {}

    def sentences(self, target: int) -> list[tuple[str, str]]:
        """Say one thing in one to four ways.

        Args:
            target: index of the thing among those seen.

        Returns:
            (raw, sent) pairs, each meaning the target alone; none if no expression was found.
        """
        wanted = 1 + _share(self.rng, self.manner.counts)
        found: dict[str, Description] = {}
        spare: dict[str, Description] = {}
        shortest, longest = self.manner.words
        for _ in range(3 * wanted + 4):
            description = self._describe(target)
            if description is None or description in found.values():
                continue
            sent = self._say(description)
            fits = shortest <= len(sent.split()) <= longest
            (found if fits else spare).setdefault(sent, description)
            if len(found) == wanted:
                break
        if not found:
            found = dict(sorted(spare.items(), key=lambda item: -len(item[0]))[:1])
        return [(_raw(self.rng, sent, self.manner.full), sent) for sent in found]

    def _say(self, description: Description) -> str:
        candidates = self.view.noun(description.noun).wide
        everything = candidates
        for trait in description.traits:
            candidates &= self.view.trait(trait).wide
        crowd = {
            place: (everything if place.bare else candidates).bit_count()
            for place in description.places
        }
        return PhraseBuilder(rng=self.rng, full=self.manner.full, crowd=crowd).say(description)

    def _noun(self, kind: str, group: str, general: float) -> str:
        if group in _GENERAL and self.rng.random() < general:
            return _GENERAL[group]
        return pick(self.rng, _SYNONYMS.get(kind, [kind]))

    def _traits(self, target: int, count: int) -> tuple[Trait, ...]:
        """Draw true and plainly visible properties of a thing."""
        rng, thing = self.rng, self.view.things[target]
        options: list[Trait] = []
        if thing.group != "people":
            patterned = thing.pattern != "plain"
            form = thing.pattern if patterned or rng.random() < 0.03 else ""
            draw = rng.random()
            colour = "" if patterned and draw < 0.25 else thing.colour
            options.append(Trait("body", colour, form if draw < 0.65 else ""))
            if self.manner.located and thing.kind in FACERS and rng.random() < 0.12:
                options.insert(0, Trait("facing", form=thing.facing))
        else:
            shirt = thing.colour if thing.pattern == "plain" or rng.random() < 0.6 else ""
            pattern = thing.pattern if not shirt or rng.random() < 0.5 else ""
            if pattern == "plain":
                pattern = ""
            if thing.pattern == "plain" and rng.random() < 0.45:
                options += [Trait("in", shirt)] * 2
            else:
                options += [Trait("shirt", shirt, pattern)] * 2
            options.append(Trait("lower", thing.lower_colour, LOWER[thing.kind]))
            if thing.hat:
                form = thing.hat if rng.random() < 0.75 else "hat"
                options += [Trait("hat", pick(rng, ("", thing.hat_colour)), form)] * 2
            elif rng.random() < 0.25:
                options.append(Trait("bare"))
            if thing.holding:
                colour = thing.holding_colour if rng.random() < 0.65 else ""
                options += [Trait("held", colour, thing.holding)] * 2
        chosen: list[Trait] = []
        while options and len(chosen) < count:
            trait = pick(rng, options)
            options = [one for one in options if one != trait]
            if self.view.trait(trait).clear >> target & 1:
                chosen.append(trait)
        return tuple(chosen)

    def _describe(self, target: int) -> Description | None:
        """Draw one description that means the target alone."""
        view, rng, manner = self.view, self.rng, self.manner
        thing = view.things[target]
        noun = self._noun(thing.kind, thing.group, 0.12)
        traits = self._traits(target, _share(rng, manner.traits))
        plain = Description(noun, traits)
        done = view.one(plain) == target
        if manner.related and rng.random() < manner.related:
            related = self._with_relation(plain, target)
            if related is not None:
                return related
        if not done or rng.random() < manner.extra:
            placed = self._with_place(plain, target)
            if placed is not None:
                return placed
        return plain if done else None

    def _with_place(self, plain: Description, target: int) -> Description | None:
        rng, view = self.rng, self.view
        candidates = view.noun(plain.noun).wide
        for trait in plain.traits:
            candidates &= view.trait(trait).wide
        people = view.things[target].group == "people"
        options: list[Place] = []
        sized = [size for size in _SIZES if view.seen[target].visible >= 0.75]
        if self.manner.located:
            options += _PLACES
            if rng.random() < (0.6 if self.manner.full else 0.15):
                options += _SIDES
            count = candidates.bit_count()
            simple = not plain.traits or not people
            for side in ("left", "right"):
                if simple:
                    options += [Place("nth", side, rank) for rank in range(2, min(count, 7))]
                elif count < 3:
                    counted = view.noun(plain.noun).wide.bit_count()
                    options += [Place("nth", side, k, True) for k in range(2, min(counted, 7))]
            if any(trait.what == "facing" for trait in plain.traits):
                options = [place for place in options if place.what in ("front", "back")]
        options += sized
        while options:
            place = options.pop(int(rng.random() * len(options)))
            first = (place,)
            if view.one(Description(plain.noun, plain.traits, first)) != target:
                continue
            if place.what in ("front", "back", "left", "right", "side") and rng.random() < 0.35:
                for size in sized:
                    both = Description(plain.noun, plain.traits, (size, place))
                    if view.one(both) == target:
                        return both
            return Description(plain.noun, plain.traits, first)
        return None

    def _with_relation(self, plain: Description, target: int) -> Description | None:
        """Add a relation to other things, each of which can be described on its own."""
        rng, view = self.rng, self.view
        candidates = view.noun(plain.noun).wide
        for trait in plain.traits:
            candidates &= view.trait(trait).wide
        turned = any(trait.what == "facing" for trait in plain.traits)
        pairs = [
            (what, j)
            for what in _RELATIONS
            for j in range(len(view.things))
            if j != target and not (turned and what in ("left", "right"))
        ]
        for _ in range(min(8, len(pairs))):
            what, j = pairs.pop(int(rng.random() * len(pairs)))
            others = [j]
            if what == "between":
                others.append(int(rng.random() * len(view.things)))
                if others[1] in (j, target):
                    continue
            sense = view.relation(what, candidates, others)
            if sense.wide != 1 << target or sense.clear != sense.wide:
                continue
            named = [self._anchor(k, brief=what == "between" and k == j) for k in others]
            known = tuple(one for one in named if one is not None)
            if len(known) == len(named):
                description = Description(plain.noun, plain.traits, (), Relation(what, known))
                if view.one(description) == target:
                    return description
        return None

    def _anchor(self, index: int, *, brief: bool) -> Description | None:
        """Describe another thing by noun and properties alone; brief: people by noun only."""
        thing = self.view.things[index]
        least = 1 if self.manner.full and self.rng.random() < 0.6 else 0
        if brief and thing.group == "people":
            least = 0
        for count in range(least, 1 if brief and thing.group == "people" else 3):
            noun = self._noun(thing.kind, thing.group, 0.0)
            description = Description(noun, self._traits(index, count))
            if self.view.one(description) == index:
                return description
        return None
