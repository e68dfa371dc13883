"""The datasets of RefScenes: sizes, splits, and how a scene is generated.

Three datasets mirror the real three. *refscenes* and *refscenes+* share their images, as RefCOCO
and RefCOCO+ do, with splits train, val, testA (people) and testB (everything else). *refscenesg*
has images of its own, with splits train, val and test, as the *umd* partition of G-Ref.

Every scene follows from (seed, family, split, index) alone: worlds of different sizes share their
common scenes, and any scene can be generated without the others.
"""

import random
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

import numpy as np

from risbook.errors import DataError
from risbook.refscenes.annotation_styles import ANNOTATION_STYLES
from risbook.refscenes.captions import caption
from risbook.refscenes.expression_generator import ExpressionGenerator
from risbook.refscenes.scene_renderer import RenderedScene, render_scene
from risbook.refscenes.scene_sampler import THEMES, sample_scene
from risbook.refscenes.semantics import Interpreter


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

    @property
    def total(self) -> int:
        """Number of images in all splits."""
        return sum(self.refscenes) + sum(self.refscenesg)


STANDARD = WorldSize(name="standard", refscenes=(4000, 200, 120, 120), refscenesg=(2000, 120, 200))
TINY = WorldSize(name="tiny", refscenes=(24, 8, 6, 6), refscenesg=(12, 6, 6))
#: The world in the package: coarser JPEG, so that it stays below half a megabyte.
SAMPLE = WorldSize(name="sample", refscenes=(9, 3, 2, 2), refscenesg=(5, 2, 2), quality=80)
#: For pretraining alone: towers have met more than the training set of the task, as in life.
PRETRAINING = WorldSize(name="pretraining", refscenes=(28_000, 0, 0, 0), refscenesg=(12_000, 0, 0))
SIZES = {size.name: size for size in (STANDARD, TINY, SAMPLE, PRETRAINING)}


@dataclass(frozen=True, slots=True)
class Family:
    """Datasets that share their images; `number` is part of the seeds and of the image ids."""

    number: int
    sets: tuple[str, ...]
    partition: str
    splits: tuple[str, ...]


FAMILIES = (
    Family(1, ("refscenes", "refscenes+"), "unc", ("train", "val", "testA", "testB")),
    Family(2, ("refscenesg",), "umd", ("train", "val", "test")),
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
        split: one of the family's splits; testA refers to people, testB to all else.
        index: number of the scene within the split, from 0.
        seed: seed of the world.
        scale: the image and the masks are rendered so many times as large. Objects, places and
            text are those of scale 1.

    Returns:
        The scene; each dataset of the family refers to at least one of its objects.

    Raises:
        DataError: nothing could be referred to in a hundred attempts.
    """
    split_number = family.splits.index(split)
    for attempt in range(100):
        entropy = (seed, family.number, split_number, index, attempt)
        seed_sequence = np.random.SeedSequence(entropy)
        image_rng = np.random.default_rng(seed_sequence)
        theme = THEMES[int(3 * image_rng.random())]
        theme = {"testA": "people", "testB": "things"}.get(split, theme)
        scene = sample_scene(image_rng, theme=theme)
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
    for family, counts in zip(FAMILIES, (size.refscenes, size.refscenesg), strict=True):
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
    expressions: dict[str, Expressions] = {}
    for name in family.sets:
        style = ANNOTATION_STYLES[name]
        generator = ExpressionGenerator(interpreter=interpreter, style=style, rng=rng)
        expressions[name] = []
        for target in shuffled:
            if len(expressions[name]) < count and (pairs := generator.sentences(target)):
                expressions[name].append((target, pairs))
    return expressions
