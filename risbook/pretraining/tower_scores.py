"""The scores of a pretrained tower on held-out scenes, beside those of a random tower."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from risbook.data.dataset import ReferData
from risbook.pretraining.tower_probes import (
    SceneSet,
    probe_categories,
    probe_patches,
    sample_scenes,
    score_retrieval,
)
from risbook.tokenizers.word_tokenizer import WordTokenizer
from risbook.towers.build import build_tower
from risbook.towers.clip import CLIP
from risbook.towers.presets import get_tower_preset
from risbook.towers.stages import StagedTextTower
from risbook.towers.weights.origin import weights_origin

HELD_OUT = ("val", "testA", "testB", "test")


def score_tower(
    name: str,
    weights: str | Path,
    sources: Sequence[ReferData],
    *,
    text_tower: StagedTextTower | None = None,
    tokenizer: WordTokenizer | None = None,
) -> dict[str, Any]:
    """Score a tower on held-out scenes, beside a random tower of the same shape.

    Args:
        name: the tower's name.
        weights: its folder.
        sources: drawn sets; the first one's scenes are probed, captions are retrieved in all.
        text_tower: the other half of a CLIP pair.
        tokenizer: of the text tower.

    Returns:
        "scenes" with the counts, and "retrieval", "kinds" and "patches" where they apply.
    """
    preset = get_tower_preset(name)
    if preset.family == "clip-text":
        return {}
    tower = build_tower(name, weights=weights)
    torch.manual_seed(0)
    # With DINOv2's initial LayerScale, 1e-5, a random tower would hardly change its patches.
    changes: dict[str, Any] = {"layer_scale": 1.0} if preset.family == "dinov2" else {}
    towers = {"pretrained": tower, "random": build_tower(name, weights="random", **changes)}
    assert tower.modality == "image"
    size = tower.image_size
    train = sample_scenes(sources[0], ["train"], 500)
    test = sample_scenes(sources[0], HELD_OUT, 300)
    scores: dict[str, Any] = {
        # without the path: the folder is moved when it is shipped
        "origin": {"kind": weights_origin(tower).kind, "sha256": weights_origin(tower).sha256},
        "scenes": {"probes learn from": len(train.image_ids), "probes asked": len(test.image_ids)},
        "patches": [
            {"weights": label, **row}
            for label, probed in towers.items()
            for row in probe_patches(probed, train, test, size=size)
        ],
    }
    if text_tower is not None and tokenizer is not None:
        pair = CLIP(image_tower=tower, text_tower=text_tower)
        scenes = held_out_scenes(sources, 500)
        scores["retrieval"] = score_retrieval(pair, tokenizer, scenes, size=size).as_dict()
        scores["kinds"] = [
            {"weights": label, **probe_categories(probed, train, test, size=size)}
            for label, probed in towers.items()
        ]
    return scores


def held_out_scenes(sources: Sequence[ReferData], count: int) -> list[SceneSet]:
    """Held-out scenes of all sets, a shared image once, `count` in all."""
    subsets = []
    file_names: set[str] = set()
    for data in sources:
        images = data.instances.images
        image_ids = sample_scenes(data, HELD_OUT, len(images)).image_ids
        fresh = [i for i in image_ids if images[i].file_name not in file_names]
        fresh = fresh[: count - len(file_names)]
        file_names |= {images[image_id].file_name for image_id in fresh}
        if fresh:
            subsets.append(SceneSet(data, tuple(fresh)))
    return subsets
