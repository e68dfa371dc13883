"""What small towers are worth: held-out figures beside chance and beside random towers.

- retrieval: which caption belongs to which scene, among 500 held-out scenes (CLIP pairs);
- kind of a thing, read by a linear map from the vector of a close view of it (CLIP pairs);
- kind and part of what lies under a patch, read by neighbours and by a linear map from the last
  map of an image tower, on held-out scenes.

The same tower with random weights answers the same questions, because a random network is a good
description of colours already.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from risbook.data.dataset import ReferData
from risbook.probing.encoding import Pixels, object_crops, preprocess
from risbook.probing.patch_labels import LABEL_NAMES, LabelSet, patch_labels
from risbook.probing.probes import Method, patch_probe, probe
from risbook.probing.retrieval import Retrieval, evaluate_retrieval
from risbook.refscenes.scene_types import SUPERCATEGORY_OF
from risbook.towers.clip import CLIP
from risbook.towers.word_tokenizer import WordTokenizer

HELD_OUT = ("val", "testA", "testB", "test")
_BATCH = 64


@dataclass(frozen=True)
class SceneSet:
    """Some scenes of one drawn set.

    Args:
        data: the set.
        image_ids: the scenes.
    """

    data: ReferData
    image_ids: tuple[int, ...]

    def images(self, size: int) -> Tensor:
        """Letterboxed and normalised, (N, 3, size, size)."""
        return preprocess([self.data.image(image_id) for image_id in self.image_ids], size)


def sample_scenes(data: ReferData, splits: Sequence[str], count: int, *, seed: int = 0) -> SceneSet:
    """Draw scenes of some splits; all of them where there are no more than `count`."""
    splits = [split for split in splits if split in data.expressions.splits]
    known = sorted({e.image_id for split in splits for e in data.expressions.split(split)})
    if len(known) > count:
        order = np.random.default_rng(seed).permutation(len(known))[:count]
        known = [known[index] for index in sorted(order)]
    return SceneSet(data, tuple(known))


@torch.inference_mode()
def last_maps(tower: nn.Module, images: Tensor) -> Tensor:
    """Patch features of an image tower's last map, (N, h, w, C)."""
    maps = [tower(some).maps[-1] for some in _some(images)]
    return torch.cat(maps).permute(0, 2, 3, 1).float()


def probe_patches(
    tower: nn.Module,
    train: SceneSet,
    test: SceneSet,
    *,
    size: int,
    of: Sequence[LabelSet] = ("kind", "part"),
) -> list[dict[str, Any]]:
    """Probe the last map of an image tower.

    Args:
        tower: an image tower, in evaluation mode.
        train: scenes to learn from.
        test: other scenes.
        size: side of the letterboxed images, pixels.
        of: what to ask for.

    Returns:
        A row for each question, place and method: "of", "on" ("all patches", or "things": those
        that no background covers, which is four in five of all), "method" and the figures of
        `ProbeScore`.
    """
    known, asked = (last_maps(tower, scenes.images(size)) for scenes in (train, test))
    patch = size // known.shape[1]
    rows = []
    for question in of:
        everywhere = [
            patch_labels(
                scenes.data, scenes.image_ids, image_size=size, patch_size=patch, label_set=question
            )
            for scenes in (train, test)
        ]
        names = LABEL_NAMES[question]
        # without the background, label 0, the others move down by one
        things = [torch.where(one > 0, one - 1, -1) for one in everywhere]
        for place, labels, asked_for in (
            ("all patches", everywhere, names),
            ("things", things, names[1:]),
        ):
            methods: tuple[Method, ...] = ("knn", "linear")
            for method in methods:
                score = patch_probe(
                    known,
                    labels[0],
                    asked,
                    labels[1],
                    names=asked_for,
                    method=method,
                    train_limit=20_000,
                )
                figures = _rounded(score.as_dict())
                rows.append({"of": question, "on": place, "method": method, **figures})
    return rows


@torch.inference_mode()
def score_retrieval(
    clip: CLIP, tokenizer: WordTokenizer, scenes: Sequence[SceneSet], *, size: int
) -> Retrieval:
    """Find captions by pictures and pictures by captions.

    Args:
        clip: the pair, in evaluation mode.
        tokenizer: of the text tower; a caption that is too long for it is cut.
        scenes: held-out scenes.
        size: side of the letterboxed images, pixels.
    """
    captions = [some.data.caption(image_id) for some in scenes for image_id in some.image_ids]
    tokens = tokenizer(captions)
    images = torch.cat([some.images(size) for some in scenes])
    return evaluate_retrieval(
        torch.cat([clip.image_vectors(some) for some in _some(images)]),
        torch.cat([clip.text_vectors(some) for some in _some(tokens)]),
        captions,
    )


def probe_categories(
    image: nn.Module, train: SceneSet, test: SceneSet, *, size: int
) -> dict[str, float]:
    """Read the kind of a thing from the vector of a close view, by a linear map.

    Args:
        image: CLIP's image tower, in evaluation mode.
        train: scenes to learn from.
        test: other scenes.
        size: side of the views, pixels.
    """
    cases = [_close_views(image, scenes, size) for scenes in (train, test)]
    score = probe(*cases[0], *cases[1], names=tuple(SUPERCATEGORY_OF))
    return _rounded(score.as_dict())


@torch.inference_mode()
def _close_views(image: nn.Module, scenes: SceneSet, size: int) -> tuple[Tensor, Tensor]:
    names = list(SUPERCATEGORY_OF)
    views: list[Pixels] = []
    labels: list[int] = []
    for image_id in scenes.image_ids:
        objects = scenes.data.objects(image_id)
        masks = [mask for _, mask in objects]
        views += object_crops(scenes.data.image(image_id), masks, size, margin=1.3)
        labels += [names.index(kind) for kind, _ in objects]
    vectors = [image.pooled(some) for some in _some(preprocess(views, size))]  # type: ignore[operator]
    return torch.cat(vectors), torch.tensor(labels)


def _some(rows: Tensor) -> list[Tensor]:
    """Rows in portions that fit into memory."""
    return [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}
