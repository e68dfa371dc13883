"""What the words of an expression do: name a category, an attribute, a location, a relation.

The lists hold the words of the drawn sets. Locations and relations are common words, so they are
also counted in sentences that people wrote. The four functions are those of ReferItGame
(Kazemzadeh et al., 2014), which calls the category the entry-level name.
"""

import re

from risbook.refscenes.descriptions import NOUNS
from risbook.refscenes.scene_types import COLOURS

RELATION = r"\b((left|right) of|next to|beside|behind|in front of|between)\b"
LOCATION = (
    r"\b(left|right|\w+most|middle|center|front|back|closest|nearest|farthest|second|third)\b"
)
FACING = r"\b(facing|looking) (left|right)\b"
CLOTHES = "shirt|pants|skirt|shorts|hat|cap|beanie|holding|wearing"
# Beginnings of words: "larg" matches large, larger and largest.
LOOKS = "striped|spotted|dotted|plain|big|small|little|larg|tall|short"
ATTRIBUTE = rf"\b({'|'.join(COLOURS)}|{CLOTHES}|{LOOKS})|{FACING}"
CATEGORY = rf"\b({'|'.join(NOUNS)})\b"


def word_functions(sentence: str) -> dict[str, bool]:
    """Say which of the four functions occur in a sentence.

    A word such as *left* is a location only outside of relations ("left of the bus") and of
    directions ("facing left").

    Args:
        sentence: a normalised sentence, in lower case.

    Returns:
        The keys "category", "attribute", "location" and "relation", in this order.

    >>> word_functions("white sheep left of the bus")
    {'category': True, 'attribute': True, 'location': False, 'relation': True}
    >>> word_functions("far left")["location"], word_functions("dog facing left")["location"]
    (True, False)
    """
    no_relation = re.sub(RELATION, "", re.sub(FACING, "", sentence))
    return {
        "category": re.search(CATEGORY, sentence) is not None,
        "attribute": re.search(ATTRIBUTE, sentence) is not None,
        "location": re.search(LOCATION, no_relation) is not None,
        "relation": re.search(RELATION, sentence) is not None,
    }
