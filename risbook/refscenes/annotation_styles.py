"""Annotation styles: how the annotators of RefCOCO, RefCOCO+ and G-Ref wrote.

RefCOCO's players typed a few words and liked locations. RefCOCO+'s players were not allowed
location words (Yu et al., 2016). G-Ref's annotators wrote whole phrases without time pressure
(Mao et al., 2016).
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

_T = TypeVar("_T")

#: What annotators type -> what the cleaned sentences (``sent`` in the REFER files) hold.
_SPELLING = {"grey": "gray", "2nd": "second", "3rd": "third", "4th": "fourth", "5th": "fifth"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationStyle:
    """How the annotators of one dataset write.

    Args:
        locations: locations, facing and relations are allowed.
        full_phrases: whole phrases with articles and verbs.
        attribute_probs: probabilities of naming 0, 1, 2 ... attributes.
        relation_prob: probability of trying a relation.
        redundancy_prob: probability of a selector that is not needed.
        sentence_probs: probabilities of 1, 2, 3, 4 sentences per object.
        word_range: fewest and most words per sentence; exceeded only if nothing else is unique.
    """

    locations: bool
    full_phrases: bool
    attribute_probs: tuple[float, ...]
    relation_prob: float
    redundancy_prob: float
    sentence_probs: tuple[float, ...]
    word_range: tuple[int, int]


#: dataset -> its style. Sentences per object as in the real datasets: 1 to 4 with mean 2.8, in
#: G-Ref 1 to 3.
ANNOTATION_STYLES: dict[str, AnnotationStyle] = {
    "refscenes": AnnotationStyle(
        locations=True, full_phrases=False, attribute_probs=(0.38, 0.5, 0.12), relation_prob=0.12,
        redundancy_prob=0.3, sentence_probs=(0.04, 0.22, 0.63, 0.11), word_range=(1, 9),
    ),
    "refscenes+": AnnotationStyle(
        locations=False, full_phrases=False, attribute_probs=(0.12, 0.55, 0.33), relation_prob=0.0,
        redundancy_prob=0.1, sentence_probs=(0.04, 0.22, 0.63, 0.11), word_range=(1, 9),
    ),
    "refscenesg": AnnotationStyle(
        locations=True, full_phrases=True, attribute_probs=(0.06, 0.44, 0.38, 0.12),
        relation_prob=0.6, redundancy_prob=0.6, sentence_probs=(0.15, 0.8, 0.05),
        word_range=(8, 15),
    ),
}  # fmt: skip
ANNOTATION_STYLES["refscenes-unseen"] = ANNOTATION_STYLES["refscenes+"]


def roughen(rng: random.Random, sent: str, *, full_phrases: bool) -> str:
    """Write a cleaned sentence as annotators in a hurry do: spelling, capitals, full stops vary."""
    for raw, clean in _SPELLING.items():
        if clean in sent and rng.random() < (0.2 if full_phrases else 0.4):
            sent = re.sub(rf"\b{clean}\b", raw, sent)
    if rng.random() < (0.5 if full_phrases else 0.15):
        sent = sent[0].upper() + sent[1:]
    if rng.random() < (0.5 if full_phrases else 0.08):
        sent += "."
    return sent


def choose(rng: random.Random, options: Sequence[_T]) -> _T:
    """Sample an option; uses ``random()`` alone, whose stream Python keeps stable."""
    return options[int(rng.random() * len(options))]


def sample_index(rng: random.Random, probs: tuple[float, ...]) -> int:
    """Sample an index with the given probabilities."""
    remainder = rng.random()
    for index, prob in enumerate(probs):
        remainder -= prob
        if remainder < 0:
            return index
    return len(probs) - 1
