"""The sets of the drawn world: their sizes, their splits, and how one scene of them comes about.

Three sets mirror the real three: *refscenes* and *refscenes+* share their images, as RefCOCO and
RefCOCO+ do, with splits train, val, testA (people) and testB (everything else); *refscenesg* has
images of its own, with splits train, val and test, as the *umd* partition of G-Ref.

Every scene follows from (seed, family, split, index) alone: worlds of different sizes share the
scenes that both have, and any one scene can be drawn without the others.
"""

import random
from dataclasses import dataclass

import numpy as np

from risbook.errors import DataError
from risbook.refscenes.captions import caption
from risbook.refscenes.expression_generator import ANNOTATION_STYLES, ExpressionGenerator
from risbook.refscenes.scene_renderer import RenderedScene, render_scene
from risbook.refscenes.scene_sampler import sample_scene
from risbook.refscenes.semantics import Interpreter

_THEMES = ("people", "things", "mixed")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSize:
    """How many images a world has.

    Args:
        name: part of the folder's name in the cache.
        refscenes: images in train, val, testA and testB of refscenes and refscenes+.
        refscenesg: images in train, val and test of refscenesg.
        quality: JPEG quality.
    """

    name: str
    refscenes: tuple[int, int, int, int]
    refscenesg: tuple[int, int, int]
    quality: int = 95


STANDARD = WorldSize(name="standard", refscenes=(4000, 200, 120, 120), refscenesg=(2000, 120, 200))
TINY = WorldSize(name="tiny", refscenes=(24, 8, 6, 6), refscenesg=(12, 6, 6))
#: What the package carries: coarser JPEG, so that it stays below half a megabyte.
SAMPLE = WorldSize(name="sample", refscenes=(9, 3, 2, 2), refscenesg=(5, 2, 2), quality=80)
SIZES = {size.name: size for size in (STANDARD, TINY, SAMPLE)}


@dataclass(frozen=True, slots=True)
class Family:
    """Sets that share their images.

    Args:
        number: part of the seeds and of the image ids.
        sets: names of the sets.
        partition: name of their partition.
        splits: names of their splits.
    """

    number: int
    sets: tuple[str, ...]
    partition: str
    splits: tuple[str, ...]


FAMILIES = (
    Family(1, ("refscenes", "refscenes+"), "unc", ("train", "val", "testA", "testB")),
    Family(2, ("refscenesg",), "umd", ("train", "val", "test")),
)

Spoken = list[tuple[int, list[tuple[str, str]]]]


@dataclass(frozen=True, slots=True)
class AnnotatedScene:
    """One scene of a world, painted and spoken of.

    Args:
        image_id: its id in the world.
        split: its split.
        painted: the picture and its facts.
        caption: the scene told in sentences.
        spoken: set -> for each referred thing its index and its (raw, sent) pairs.
    """

    image_id: int
    split: str
    painted: RenderedScene
    caption: str
    spoken: dict[str, Spoken]

    @property
    def file_name(self) -> str:
        """Name of the image file."""
        return f"refscenes_{self.image_id:012d}.jpg"


def generate_scene(family: Family, split: str, index: int, seed: int = 0) -> AnnotatedScene:
    """Plan, paint and describe one scene.

    Args:
        family: the sets that the scene belongs to.
        split: one of the family's splits; testA asks for people, testB for all else.
        index: number of the scene within the split, from 0.
        seed: seed of the world.

    Returns:
        The scene; each set of the family refers to at least one of its things.
    """
    place = family.splits.index(split)
    for attempt in range(100):
        source = np.random.SeedSequence((seed, family.number, place, index, attempt))
        rng = np.random.default_rng(source)
        theme = {"testA": "people", "testB": "things"}.get(split, _THEMES[int(3 * rng.random())])
        painted = render_scene(sample_scene(rng, theme=theme), rng)
        dice = random.Random(int(source.generate_state(1, np.uint64)[0]))
        spoken = _speak(family, split, painted, dice)
        if all(spoken.values()):
            told = caption(painted.scene, painted.seen, dice)
            image_id = family.number * 1_000_000 + place * 100_000 + index + 1
            return AnnotatedScene(image_id, split, painted, told, spoken)
    raise DataError(f"{split} scene {index} of seed {seed}: nothing in it could be referred to")


def _speak(
    family: Family, split: str, painted: RenderedScene, dice: random.Random
) -> dict[str, Spoken]:
    """Choose two to four things of a scene and let each set of the family speak of them."""
    view = Interpreter(scene=painted.scene, seen=painted.seen)
    targets = [
        i
        for i, thing in enumerate(view.things)
        if view.plain_to_see >> i & 1
        and (split not in ("testA", "testB") or (thing.group == "people") == (split == "testA"))
    ]
    order = [i for _, i in sorted((dice.random(), i) for i in targets)]
    wanted = 2 + (dice.random() < 0.6) + (dice.random() < 0.15)
    spoken: dict[str, Spoken] = {}
    for name in family.sets:
        teller = ExpressionGenerator(view=view, manner=ANNOTATION_STYLES[name], rng=dice)
        spoken[name] = []
        for target in order:
            if len(spoken[name]) < wanted and (pairs := teller.sentences(target)):
                spoken[name].append((target, pairs))
    return spoken
