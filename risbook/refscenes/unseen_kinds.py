"""Seen and unseen kinds: what the training scenes of refscenes-unseen never show and never name.

Zero-shot learning divides the classes of a dataset into seen ones, which are trained on, and unseen
ones; Xian et al. (2019, "Zero-Shot Learning - A Comprehensive Evaluation of the Good, the Bad and
the Ugly") report scores of both, on test_seen and test_unseen. Each unseen kind here resembles a
seen one: the sheep a dog or a horse, the bus a car, the beanie a cap. The images on which the small
towers of the book were pretrained show all kinds.
"""

from risbook.refscenes.descriptions import NOUNS
from risbook.refscenes.scene_types import Scene

#: an animal, a vehicle, and a hat of people
UNSEEN_KINDS: tuple[str, ...] = ("sheep", "bus", "beanie")
#: the only split with unseen kinds
UNSEEN_SPLIT = "test_unseen"


def words_of(kind: str) -> frozenset[str]:
    """The words that mean a kind and nothing else: "animal" is said of other kinds, too.

    >>> sorted(words_of("bicycle")), sorted(words_of("beanie"))
    (['bicycle', 'bike'], ['beanie'])
    """
    return frozenset({kind, *(noun for noun, categories in NOUNS.items() if categories == (kind,))})


#: Every expression of `UNSEEN_SPLIT` has one of these words, and no other expression has.
UNSEEN_WORDS = frozenset().union(*map(words_of, UNSEEN_KINDS))


def kinds_in(scene: Scene) -> set[str]:
    """The categories of a scene, and the hats that its people wear."""
    return {kind for obj in scene.objects for kind in (obj.category, obj.hat) if kind}


def fits_split(scene: Scene, *, split: str, index: int) -> bool:
    """Whether a scene may be number `index` of a split.

    A scene of `UNSEEN_SPLIT` shows an unseen kind, each kind in turn, beside whatever else it
    shows. A scene of any other split shows none.
    """
    kinds = kinds_in(scene)
    if split == UNSEEN_SPLIT:
        return UNSEEN_KINDS[index % len(UNSEEN_KINDS)] in kinds
    return kinds.isdisjoint(UNSEEN_KINDS)
