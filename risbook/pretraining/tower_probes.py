"""Probes of small towers on held-out scenes.

- retrieval: which caption belongs to which scene, among 500 held-out scenes (CLIP pairs);
- category of an object, by a linear probe on the vector of its crop (CLIP pairs);
- category and part under a patch, by nearest neighbours and by a linear probe on the last feature
  map of an image tower.

A random tower is probed as well, because random features describe colours well already.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from risbook.data.dataset import ReferData
from risbook.probing.encoding import Pixels, object_crops, preprocess
from risbook.probing.patch_labels import LABEL_NAMES, LabelSet, patch_labels
from risbook.probing.probes import METHODS, patch_probe, probe
from risbook.probing.retrieval import Retrieval, evaluate_retrieval
from risbook.refscenes.scene_types import SUPERCATEGORY_OF
from risbook.tokenizers.word_tokenizer import WordTokenizer
from risbook.towers.clip import CLIP

_BATCH = 64


@dataclass(frozen=True)
class SceneSet:
    """Scenes of one drawn set, by their image ids."""

    data: ReferData
    image_ids: tuple[int, ...]

    def images(self, size: int) -> Tensor:
        """Letterboxed and normalised, (N, 3, size, size)."""
        return preprocess([self.data.image(image_id) for image_id in self.image_ids], size)


def sample_scenes(data: ReferData, splits: Sequence[str], count: int, *, seed: int = 0) -> SceneSet:
    """Sample scenes of some splits; all of them where there are no more than `count`."""
    splits = [split for split in splits if split in data.expressions.splits]
    image_ids = sorted({e.image_id for split in splits for e in data.expressions.split(split)})
    if len(image_ids) > count:
        order = np.random.default_rng(seed).permutation(len(image_ids))[:count]
        image_ids = [image_ids[index] for index in sorted(order)]
    return SceneSet(data, tuple(image_ids))


@torch.inference_mode()
def last_feature_maps(tower: nn.Module, images: Tensor) -> Tensor:
    """Patch features of an image tower's last map, (N, h, w, C)."""
    maps = [tower(batch).maps[-1] for batch in torch.split(images, _BATCH)]
    return torch.cat(maps).permute(0, 2, 3, 1).float()


def probe_patches(
    tower: nn.Module,
    train: SceneSet,
    test: SceneSet,
    *,
    size: int,
    label_sets: Sequence[LabelSet] = ("kind", "part"),
) -> list[dict[str, Any]]:
    """Train probes on the last feature map of an image tower, and test them on other scenes.

    Args:
        tower: an image tower, in evaluation mode.
        train: scenes to train the probes on.
        test: other scenes.
        size: side of the letterboxed images, pixels.
        label_sets: labels of the patches.

    Returns:
        A row per label set, selection of patches and method: "of", "on" ("all patches", or
        "things": patches that no background covers, one in five of all), "method" and the scores
        of `ProbeScore`.
    """
    features = [last_feature_maps(tower, scenes.images(size)) for scenes in (train, test)]
    patch_size = size // features[0].shape[1]
    rows = []
    for label_set in label_sets:
        labels = [
            patch_labels(
                scenes.data,
                scenes.image_ids,
                image_size=size,
                patch_size=patch_size,
                label_set=label_set,
            )
            for scenes in (train, test)
        ]
        names = LABEL_NAMES[label_set]
        # without the background, label 0, the others move down by one
        thing_labels = [torch.where(part > 0, part - 1, -1) for part in labels]
        selections = (("all patches", labels, names), ("things", thing_labels, names[1:]))
        for selection, (train_labels, test_labels), label_names in selections:
            for method in METHODS:
                score = patch_probe(
                    features[0],
                    train_labels,
                    features[1],
                    test_labels,
                    names=label_names,
                    method=method,
                    train_limit=20_000,
                )
                row = {"of": label_set, "on": selection, "method": method}
                rows.append({**row, **_rounded(score.as_dict())})
    return rows


@torch.inference_mode()
def score_retrieval(
    clip: CLIP, tokenizer: WordTokenizer, scenes: Sequence[SceneSet], *, size: int
) -> Retrieval:
    """Retrieve captions by images and images by captions.

    Args:
        clip: the pair, in evaluation mode.
        tokenizer: of the text tower; a caption that is too long for it is cut.
        scenes: held-out scenes.
        size: side of the letterboxed images, pixels.
    """
    captions = [subset.data.caption(i) for subset in scenes for i in subset.image_ids]
    tokens = tokenizer(captions)
    images = torch.cat([subset.images(size) for subset in scenes])
    return evaluate_retrieval(
        torch.cat([clip.image_vectors(batch) for batch in torch.split(images, _BATCH)]),
        torch.cat([clip.text_vectors(batch) for batch in torch.split(tokens, _BATCH)]),
        captions,
    )


def probe_categories(
    tower: nn.Module, train: SceneSet, test: SceneSet, *, size: int
) -> dict[str, float]:
    """Linear probe of an object's category on the image vector of its crop.

    Args:
        tower: CLIP's image tower, in evaluation mode.
        train: scenes to train the probe on.
        test: other scenes.
        size: side of the crops, pixels.
    """
    features = [_object_features(tower, scenes, size) for scenes in (train, test)]
    score = probe(*features[0], *features[1], names=tuple(SUPERCATEGORY_OF))
    return _rounded(score.as_dict())


@torch.inference_mode()
def _object_features(tower: nn.Module, scenes: SceneSet, size: int) -> tuple[Tensor, Tensor]:
    """Image vectors (N, C) of the objects' crops, and the objects' categories (N,)."""
    categories = list(SUPERCATEGORY_OF)
    crops: list[Pixels] = []
    labels: list[int] = []
    for image_id in scenes.image_ids:
        objects = scenes.data.objects(image_id)
        masks = [mask for _, mask in objects]
        crops += object_crops(scenes.data.image(image_id), masks, size, margin=1.3)
        labels += [categories.index(category) for category, _ in objects]
    pooled: Callable[[Tensor], Tensor] = tower.pooled  # type: ignore[assignment]
    vectors = [pooled(batch) for batch in torch.split(preprocess(crops, size), _BATCH)]
    return torch.cat(vectors), torch.tensor(labels)


def _rounded(scores: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in scores.items()}
