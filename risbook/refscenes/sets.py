"""The datasets of RefScenes: sizes, splits, and how a scene is generated.

Three datasets mirror the real three. *refscenes* and *refscenes+* share their images, as RefCOCO
and RefCOCO+ do, with splits train, val, testA (people) and testB (everything else). *refscenesg*
has images of its own, with splits train, val and test, as the *umd* partition of G-Ref.

*refscenes-unseen* asks what a model makes of kinds that it was not trained on, see `unseen_kinds`.
Its splits are train and val, which show and name seen kinds alone, and the tests test_seen, which
does the same, and test_unseen, of which every expression names an unseen kind. Its expressions are
in the style of refscenes+, without locations: the few steps of a study do not teach left and right.

Every scene follows from (seed, family, split, index) alone: worlds of different sizes share their
common scenes, and any scene can be generated without the others.
"""

import random
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from risbook.errors import DataError
from risbook.refscenes.annotation_styles import ANNOTATION_STYLES
from risbook.refscenes.captions import caption
from risbook.refscenes.expression_generator import ExpressionGenerator
from risbook.refscenes.scene_renderer import RenderedScene, render_scene
from risbook.refscenes.scene_sampler import THEMES, sample_scene
from risbook.refscenes.semantics import Interpreter
from risbook.refscenes.unseen_kinds import UNSEEN_SPLIT, UNSEEN_WORDS, fits_split

#: A scene that can be referred to is found after a few; each needs about half a millisecond.
_MAX_ATTEMPTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSize:
    """Which sets a world has, with how many images in each split.

    Args:
        name: part of the folder's name in the cache.
        refscenes: images in train, val, testA and testB of refscenes and refscenes+.
        refscenesg: images in train, val and test of refscenesg.
        unseen: images in train, val, test_seen and test_unseen of refscenes-unseen.
        quality: JPEG quality.
    """

    name: str
    refscenes: tuple[int, ...] = ()
    refscenesg: tuple[int, ...] = ()
    unseen: tuple[int, ...] = ()
    quality: int = 95

    @property
    def families(self) -> dict["Family", tuple[int, ...]]:
        """The families of the world, each with the number of images in its splits."""
        counts = (self.refscenes, self.refscenesg, self.unseen)
        return {family: images for family, images in zip(FAMILIES, counts, strict=True) if images}

    @property
    def partitions(self) -> dict[str, str]:
        """The sets of the world, each with its partition."""
        return {name: family.partition for family in self.families for name in family.sets}

    @property
    def total(self) -> int:
        """Number of images in all splits."""
        return sum(sum(images) for images in self.families.values())

    def to_record(self) -> dict[str, Any]:
        """The fields, without those of sets that the world does not have."""
        return {name: value for name, value in asdict(self).items() if value != ()}


STANDARD = WorldSize(name="standard", refscenes=(4000, 200, 120, 120), refscenesg=(2000, 120, 200))
TINY = WorldSize(name="tiny", refscenes=(24, 8, 6, 6), refscenesg=(12, 6, 6))
#: The world in the package: coarser JPEG, so that it stays below half a megabyte.
SAMPLE = WorldSize(name="sample", refscenes=(9, 3, 2, 2), refscenesg=(5, 2, 2), quality=80)
#: For pretraining alone: towers have met more than the training set of the task, as in life.
PRETRAINING = WorldSize(name="pretraining", refscenes=(28_000, 0, 0, 0), refscenesg=(12_000, 0, 0))
#: The worlds of refscenes-unseen.
UNSEEN = WorldSize(name="unseen", unseen=(8000, 300, 300, 300))
UNSEEN_TINY = WorldSize(name="unseen-tiny", unseen=(24, 6, 6, 6))
UNSEEN_SAMPLE = WorldSize(name="unseen-sample", unseen=(6, 2, 2, 3), quality=80)
SIZES = {
    size.name: size
    for size in (STANDARD, TINY, SAMPLE, PRETRAINING, UNSEEN, UNSEEN_TINY, UNSEEN_SAMPLE)
}


@dataclass(frozen=True, slots=True)
class Family:
    """Datasets that share their images.

    Args:
        number: part of the seeds and of the image ids.
        sets: names of the datasets.
        partition: its name in the files.
        splits: names of the splits.
        has_unseen_kinds: the kinds of `unseen_kinds` occur in one split only.
    """

    number: int
    sets: tuple[str, ...]
    partition: str
    splits: tuple[str, ...]
    has_unseen_kinds: bool = False


FAMILIES = (
    Family(1, ("refscenes", "refscenes+"), "unc", ("train", "val", "testA", "testB")),
    Family(2, ("refscenesg",), "umd", ("train", "val", "test")),
    Family(
        3,
        ("refscenes-unseen",),
        "zero-shot",
        ("train", "val", "test_seen", UNSEEN_SPLIT),
        has_unseen_kinds=True,
    ),
)

#: For each referred object its index and its (raw, sent) pairs.
Expressions = list[tuple[int, list[tuple[str, str]]]]


@dataclass(frozen=True, slots=True)
class AnnotatedScene:
    """A rendered scene with its caption, and with the expressions of each dataset."""

    image_id: int
    split: str
    rendered: RenderedScene
    caption: str
    expressions: dict[str, Expressions]

    @property
    def file_name(self) -> str:
        """The image's file."""
        return f"refscenes_{self.image_id:012d}.jpg"


def generate_scene(
    family: Family, split: str, index: int, seed: int = 0, scale: int = 1
) -> AnnotatedScene:
    """Generate one scene; if nothing in it can be referred to, the next attempt replaces it.

    Args:
        family: the datasets that the scene belongs to.
        split: one of the family's splits; testA refers to people, testB to all else, test_unseen
            to unseen kinds.
        index: number of the scene within the split, from 0.
        seed: seed of the world.
        scale: the image and the masks are rendered so many times as large. Objects, places and
            text are those of scale 1.

    Returns:
        The scene; each dataset of the family refers to at least one of its objects.

    Raises:
        DataError: nothing could be referred to in a thousand attempts.
    """
    split_number = family.splits.index(split)
    for attempt in range(_MAX_ATTEMPTS):
        entropy = (seed, family.number, split_number, index, attempt)
        seed_sequence = np.random.SeedSequence(entropy)
        image_rng = np.random.default_rng(seed_sequence)
        theme = THEMES[int(3 * image_rng.random())]
        theme = {"testA": "people", "testB": "things"}.get(split, theme)
        scene = sample_scene(image_rng, theme=theme)
        if family.has_unseen_kinds and not fits_split(scene, split=split, index=index):
            continue
        large_rng = deepcopy(image_rng)
        rendered = render_scene(scene, image_rng)
        text_rng = random.Random(int(seed_sequence.generate_state(1, np.uint64)[0]))
        expressions = _generate_expressions(family, split, rendered, text_rng)
        if all(expressions.values()):
            text = caption(rendered.scene, rendered.visible_objects, text_rng)
            if scale > 1:
                rendered = render_scene(scene, large_rng, scale)
            image_id = family.number * 1_000_000 + split_number * 100_000 + index + 1
            return AnnotatedScene(image_id, split, rendered, text, expressions)
    raise DataError(f"{split} scene {index} of seed {seed}: nothing in it could be referred to")


def generate_world(size: WorldSize, seed: int) -> Iterator[AnnotatedScene]:
    """Generate all scenes of a world, family by family and split by split."""
    for family, counts in size.families.items():
        for split, count in zip(family.splits, counts, strict=True):
            for index in range(count):
                yield generate_scene(family, split, index, seed)


def _generate_expressions(
    family: Family, split: str, rendered: RenderedScene, rng: random.Random
) -> dict[str, Expressions]:
    """Choose two to four objects; each dataset of the family refers to them in its own style."""
    interpreter = Interpreter(scene=rendered.scene, visible_objects=rendered.visible_objects)
    people = {"testA": (True,), "testB": (False,)}.get(split, (True, False))
    targets = [
        i
        for i, obj in enumerate(interpreter.objects)
        if interpreter.is_referable(i) and (obj.supercategory == "people") in people
    ]
    shuffled = [i for _, i in sorted((rng.random(), i) for i in targets)]
    count = 2 + (rng.random() < 0.6) + (rng.random() < 0.15)
    required_words = UNSEEN_WORDS if split == UNSEEN_SPLIT else frozenset()
    expressions: dict[str, Expressions] = {}
    for name in family.sets:
        generator = ExpressionGenerator(
            interpreter=interpreter,
            style=ANNOTATION_STYLES[name],
            rng=rng,
            required_words=required_words,
        )
        expressions[name] = []
        for target in shuffled:
            if len(expressions[name]) < count and (pairs := generator.sentences(target)):
                expressions[name].append((target, pairs))
    return expressions
