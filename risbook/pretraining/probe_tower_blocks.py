"""The probes of every block of a tower by name, on scenes of a drawn set."""

from typing import Any

from torch import Tensor

from risbook.data.dataset import ReferData
from risbook.errors import ArgumentError
from risbook.pretraining.tower_probes import sample_scenes
from risbook.pretraining.tower_scores import HELD_OUT
from risbook.probing.block_probe import probe_blocks
from risbook.probing.patch_labels import patch_labels
from risbook.towers.build import build_random_tower, build_tower
from risbook.towers.weights.origin import weights_origin

#: scenes that the probes learn from, and held-out ones; patches in a row by default
TRAIN_SCENES, TEST_SCENES, PATCHES = 300, 150, 12


def probe_tower_blocks(
    name: str,
    data: ReferData,
    *,
    image_size: int | None = None,
    seed: int = 0,
    random: bool = False,
    train_scenes: int = TRAIN_SCENES,
    test_scenes: int = TEST_SCENES,
    show_progress: bool = True,
) -> dict[str, Any]:
    """Probe every block of an image tower on scenes of a drawn set.

    Args:
        name: the tower's name.
        data: the drawn set.
        image_size: side of the images, pixels; None for twelve patches, or the tower's own size
            where that is smaller.
        seed: chooses the scenes, and random weights.
        random: probe the network with random weights, see `build_random_tower`.
        train_scenes: scenes that the probes learn from.
        test_scenes: held-out scenes.
        show_progress: show a progress bar.

    Returns:
        Plain values for a result file: what was probed, on what, by which command, and the "rows"
        of `probe_blocks`.

    Raises:
        RisbookError: if it is a text tower, or its weights are not available.
    """
    tower = build_random_tower(name, seed=seed) if random else build_tower(name)
    if tower.modality != "image":
        raise ArgumentError(f"{name} is a text tower; patches are probed in image towers")
    size = image_size or min(tower.image_size, PATCHES * tower.image_step)
    train = sample_scenes(data, ["train"], train_scenes, seed=seed)
    test = sample_scenes(data, HELD_OUT, test_scenes, seed=seed)

    def labels(patch_size: int) -> tuple[Tensor, Tensor]:
        train_labels, test_labels = (
            patch_labels(scenes.data, scenes.image_ids, image_size=size, patch_size=patch_size)
            for scenes in (train, test)
        )
        return train_labels, test_labels

    rows = probe_blocks(
        tower, (train.images(size), test.images(size)), labels, show_progress=show_progress
    )
    given = f" --image-size {image_size}" if image_size else ""
    given += " --random" if random else ""
    return {
        "command": f"risbook towers probe {name}{given} --seed {seed}",
        "tower": name,
        "origin": str(weights_origin(tower)),
        "sha256": weights_origin(tower).sha256,
        "data": data.name,
        "scenes": {"train": len(train.image_ids), "held out": len(test.image_ids)},
        "image_size": size,
        "rows": rows,
    }
