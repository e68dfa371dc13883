"""Generates expressions that denote one object of a scene and no other.

Generation is by rejection: a description is sampled from the annotation style, and kept only if
`semantics.Interpreter` finds that it denotes the target alone.
"""

import random
from dataclasses import dataclass, replace

from risbook.refscenes.annotation_styles import AnnotationStyle, choose, roughen, sample_index
from risbook.refscenes.descriptions import (
    FACING_CATEGORIES,
    LOWER_GARMENT,
    Attribute,
    Description,
    Relation,
    Selector,
)
from risbook.refscenes.phrase_builder import PhraseBuilder
from risbook.refscenes.scene_types import SceneObject
from risbook.refscenes.semantics import DETAIL_VISIBLE, Interpreter

#: category -> nouns, the usual ones repeated; the category itself where it is not listed
_SYNONYMS = {
    "man": ["man", "guy"],
    "woman": ["woman", "lady"],
    "child": ["child", "kid"],
    "bicycle": ["bicycle", "bike"],
    "mug": ["mug", "mug", "cup"],
    "suitcase": ["suitcase", "suitcase", "luggage"],
}
#: supercategory -> its noun
_HYPERNYMS = {"people": "person", "animals": "animal", "vehicles": "vehicle"}
_LOCATIONS = tuple(Selector(name) for name in ("left", "right", "middle", "front", "back"))
_SIZES = (Selector("big"), Selector("small"))
_SIDES = tuple(Selector("side", side=side) for side in ("left", "right", "middle"))
_RELATIONS = ("left", "right", "next", "behind", "front", "between")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpressionGenerator:
    """Generates expressions for the objects of one scene.

    Args:
        interpreter: of the scene.
        style: how annotators write.
        rng: source of all choices.
        required_words: a sentence has at least one of them; empty for any sentence.
    """

    interpreter: Interpreter
    style: AnnotationStyle
    rng: random.Random
    required_words: frozenset[str] = frozenset()

    def sentences(self, target: int) -> list[tuple[str, str]]:
        """Generate one to four sentences for an object, given its index.

        Returns:
            (raw, sent) pairs, each denoting the target alone; empty if none was found.
        """
        count = 1 + sample_index(self.rng, self.style.sentence_probs)
        accepted: dict[str, Description] = {}
        wrong_length: dict[str, Description] = {}
        shortest, longest = self.style.word_range
        for _ in range(3 * count + 4):
            description = self._sample_description(target)
            if description is None or description in accepted.values():
                continue
            sent = self._phrase(description)
            if self.required_words and self.required_words.isdisjoint(sent.split()):
                continue
            fits = shortest <= len(sent.split()) <= longest
            (accepted if fits else wrong_length).setdefault(sent, description)
            if len(accepted) == count:
                break
        sents = list(accepted) or sorted(wrong_length, key=len, reverse=True)[:1]
        full = self.style.full_phrases
        return [(roughen(self.rng, sent, full_phrases=full), sent) for sent in sents]

    def _phrase(self, description: Description) -> str:
        named = self.interpreter.denote_noun(description.noun).wide
        candidates = self.interpreter.candidates(description).wide
        counts = {
            selector: len(named if selector.by_noun else candidates)
            for selector in description.selectors
        }
        full = self.style.full_phrases
        return PhraseBuilder(rng=self.rng, full_phrases=full, counts=counts).build(description)

    def _noun(self, obj: SceneObject, hypernym_prob: float) -> str:
        if obj.supercategory in _HYPERNYMS and self.rng.random() < hypernym_prob:
            return _HYPERNYMS[obj.supercategory]
        return choose(self.rng, _SYNONYMS.get(obj.category, [obj.category]))

    def _attributes(self, target: int, count: int) -> tuple[Attribute, ...]:
        """Sample up to `count` attributes that the target clearly has."""
        obj = self.interpreter.objects[target]
        is_person = obj.supercategory == "people"
        options = self._person_options(obj) if is_person else self._object_options(obj)
        attributes: list[Attribute] = []
        while options and len(attributes) < count:
            attribute = choose(self.rng, options)
            options = [option for option in options if option != attribute]
            if target in self.interpreter.denote_attribute(attribute).clear:
                attributes.append(attribute)
        return tuple(attributes)

    def _object_options(self, obj: SceneObject) -> list[Attribute]:
        rng = self.rng
        patterned = obj.pattern != "plain"
        pattern = obj.pattern if patterned or rng.random() < 0.03 else ""
        chance = rng.random()
        colour = "" if patterned and chance < 0.25 else obj.colour
        options = [Attribute("body", colour, pattern if chance < 0.65 else "")]
        if self.style.locations and obj.category in FACING_CATEGORIES and rng.random() < 0.12:
            options.insert(0, Attribute("facing", value=obj.facing))
        return options

    def _person_options(self, obj: SceneObject) -> list[Attribute]:
        """Attributes of a person; the frequent ones twice."""
        rng = self.rng
        shirt = obj.colour if obj.pattern == "plain" or rng.random() < 0.6 else ""
        pattern = obj.pattern if not shirt or rng.random() < 0.5 else ""
        if pattern == "plain":
            pattern = ""
        clothes = obj.pattern == "plain" and rng.random() < 0.45
        upper = Attribute("clothes", shirt) if clothes else Attribute("shirt", shirt, pattern)
        lower = Attribute("lower", obj.lower_colour, LOWER_GARMENT[obj.category])
        options = [upper, upper, lower]
        if obj.hat:
            hat = obj.hat if rng.random() < 0.75 else "hat"
            options += [Attribute("hat", choose(rng, ("", obj.hat_colour)), hat)] * 2
        elif rng.random() < 0.25:
            options.append(Attribute("bareheaded"))
        if obj.holding:
            colour = obj.holding_colour if rng.random() < 0.65 else ""
            options += [Attribute("held", colour, obj.holding)] * 2
        return options

    def _sample_description(self, target: int) -> Description | None:
        """Sample one description that denotes the target alone."""
        rng, style = self.rng, self.style
        noun = self._noun(self.interpreter.objects[target], 0.12)
        attributes = self._attributes(target, sample_index(rng, style.attribute_probs))
        plain = Description(noun, attributes)
        unique = self.interpreter.referent(plain) == target
        relational = style.relation_prob and rng.random() < style.relation_prob
        if relational and (related := self._with_relation(plain, target)):
            return related
        redundant = not unique or rng.random() < style.redundancy_prob
        if redundant and (selected := self._with_selector(plain, target)):
            return selected
        return plain if unique else None

    def _with_selector(self, plain: Description, target: int) -> Description | None:
        """Add a location or rank, a size, or a size and a location."""
        rng, interpreter = self.rng, self.interpreter
        visible = interpreter.visible_objects[target]
        sizes = _SIZES if visible.visible_fraction >= DETAIL_VISIBLE else ()
        options = self._location_options(plain, target) if self.style.locations else []
        options += sizes
        while options:
            selector = options.pop(int(rng.random() * len(options)))
            description = replace(plain, selectors=(selector,))
            if interpreter.referent(description) != target:
                continue
            if selector.name in ("front", "back", "left", "right", "side") and rng.random() < 0.35:
                for size in sizes:
                    both = replace(plain, selectors=(size, selector))
                    if interpreter.referent(both) == target:
                        return both
            return description
        return None

    def _location_options(self, plain: Description, target: int) -> list[Selector]:
        options = [*_LOCATIONS]
        if self.rng.random() < (0.6 if self.style.full_phrases else 0.15):
            options += _SIDES
        count = len(self.interpreter.candidates(plain).wide)
        is_person = self.interpreter.objects[target].supercategory == "people"
        for side in ("left", "right"):
            if not plain.attributes or not is_person:
                options += [Selector("nth", side, rank) for rank in range(2, min(count, 7))]
            elif count < 3:
                named = len(self.interpreter.denote_noun(plain.noun).wide)
                options += [Selector("nth", side, rank, True) for rank in range(2, min(named, 7))]
        # "facing left" beside "on the left" would confuse.
        if _faces(plain):
            options = [selector for selector in options if selector.name in ("front", "back")]
        return options

    def _with_relation(self, plain: Description, target: int) -> Description | None:
        """Add a relation to anchors, each of which can be described on its own."""
        rng, interpreter = self.rng, self.interpreter
        candidates = interpreter.candidates(plain).wide
        pairs = [
            (name, anchor)
            for name in _RELATIONS
            for anchor in range(len(interpreter.objects))
            if anchor != target and not (_faces(plain) and name in ("left", "right"))
        ]
        for _ in range(min(8, len(pairs))):
            name, anchor = pairs.pop(int(rng.random() * len(pairs)))
            indices = [anchor]
            if name == "between":
                indices.append(int(rng.random() * len(interpreter.objects)))
                if indices[1] in (anchor, target):
                    continue
            if interpreter.relate(name, candidates, indices).referent != target:
                continue
            brief = [name == "between" and index == anchor for index in indices]
            described = [self._describe_anchor(*pair) for pair in zip(indices, brief, strict=True)]
            anchors = tuple(description for description in described if description is not None)
            if len(anchors) == len(indices):
                description = replace(plain, relation=Relation(name, anchors))
                if interpreter.referent(description) == target:
                    return description
        return None

    def _describe_anchor(self, index: int, brief: bool) -> Description | None:
        """Describe an anchor by noun and attributes; brief: people by the noun alone."""
        obj = self.interpreter.objects[index]
        noun_only = brief and obj.supercategory == "people"
        fewest = 1 if self.style.full_phrases and self.rng.random() < 0.6 else 0
        for count in range(1) if noun_only else range(fewest, 3):
            noun = self._noun(obj, 0.0)
            description = Description(noun, self._attributes(index, count))
            if self.interpreter.referent(description) == index:
                return description
        return None


def _faces(description: Description) -> bool:
    return any(attribute.name == "facing" for attribute in description.attributes)
