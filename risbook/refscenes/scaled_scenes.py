"""The scenes of a drawn world, rendered again at several times their size.

Every scene follows from the seed of its world, so that nothing has to be stored: an image is
rendered when it is asked for. The text, the objects and their places stay those of the files.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools import mask as mask_utils

from risbook.errors import ArgumentError, DataError
from risbook.files import read_json
from risbook.refscenes.manifest import STAMP
from risbook.refscenes.records import WORLD_VERSION
from risbook.refscenes.scene_renderer import RenderedScene
from risbook.refscenes.sets import FAMILIES, generate_scene

SCALES = (1, 2, 3, 4)


@lru_cache(maxsize=64)
def _render(seed: int, image_id: int, scale: int) -> RenderedScene:
    """Render the scene of an image id; see `generate_scene` for what an id is made from."""
    family_number, rest = divmod(image_id, 1_000_000)
    split_number, index = divmod(rest - 1, 100_000)
    (family,) = (family for family in FAMILIES if family.number == family_number)
    return generate_scene(family, family.splits[split_number], index, seed, scale).rendered


class ScaledScenes(Mapping[int, npt.NDArray[np.uint8]]):
    """Image id -> the image at a larger scale, uint8 (scale H, scale W, 3).

    Args:
        root: the folder of a drawn world, with its ``world.json``.
        image_ids: the images.
        scale: 2, 3 or 4.

    Raises:
        ArgumentError: the folder holds no drawn world, or there is no such scale.
        DataError: the world was drawn by another edition of risbook.
    """

    def __init__(self, root: Path, image_ids: tuple[int, ...], scale: int) -> None:
        if scale not in SCALES or isinstance(scale, bool):
            raise ArgumentError(f"scale: must be 1, 2, 3 or 4, got {scale!r}")
        if not (root / STAMP).is_file():
            raise ArgumentError(
                f"scale={scale}: only drawn sets such as 'refscenes-sample' can be rendered at "
                f"another size, and {root} holds no {STAMP}; leave scale out"
            )
        stamp = read_json(root / STAMP)
        if stamp.get("version") != WORLD_VERSION:
            raise DataError(f"{root / STAMP}: was drawn by another edition; draw the world anew")
        self.seed = int(stamp["seed"])
        self.image_ids = image_ids
        self.scale = scale

    def __getitem__(self, image_id: int) -> npt.NDArray[np.uint8]:
        # A copy: a figure may paint into it, and the scene is kept.
        return self.rendered(image_id).image.copy()

    def __iter__(self) -> Iterator[int]:
        return iter(self.image_ids)

    def __len__(self) -> int:
        return len(self.image_ids)

    def rendered(self, image_id: int) -> RenderedScene:
        """The scene of an image; the last 64 are kept in memory."""
        return _render(self.seed, image_id, self.scale)


class RenderedMask(Mapping[str, Any]):
    """A run-length record of one object, rendered when it is read.

    Args:
        scenes: the scenes.
        image_id: the image that the object is in.
        index: index of the object, from far to near.
    """

    def __init__(self, scenes: ScaledScenes, image_id: int, index: int) -> None:
        self._place = (scenes, image_id, index)

    def __getitem__(self, key: str) -> Any:
        scenes, image_id, index = self._place
        mask = scenes.rendered(image_id).instance_ids == index + 1
        runs = mask_utils.encode(np.asfortranarray(mask, np.uint8))
        return {"size": list(mask.shape), "counts": runs["counts"].decode("ascii")}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(("size", "counts"))

    def __len__(self) -> int:
        return 2
