"""Features of a tower that were recorded once, for pages that have to do without its weights.

A recording is a file of safetensors. Features are rounded to 8 bits, with one scale per channel;
the header says which tower made them, from what, and by which command.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from risbook.data.dataset import ReferData
from risbook.data.letterbox import Letterbox
from risbook.data.masks import BoolMask
from risbook.errors import ArgumentError, DataError
from risbook.files import write_atomically
from risbook.probing.encoding import preprocess
from risbook.towers.image_transformer import ImageTransformer

RECORDED_FEATURES = Path(__file__).resolve().parents[1] / "checkpoints" / "recorded_features"

_SCALE = ".scale"


@dataclass(frozen=True, slots=True)
class RecordedFeatures:
    """Recorded tensors and where they come from.

    Args:
        tensors: features in float32, and other tensors as they were written.
        about: "tower", "weights", "place", "command" and "date", and what else was noted.
    """

    tensors: Mapping[str, Tensor]
    about: Mapping[str, str]

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    @property
    def label(self) -> str:
        """Tower, weights, place and date in one line, to stand wherever the features are shown."""
        place, date = self.about["place"], self.about["date"]
        return f"{self.about['weights']}, {place}, recorded on {date}"


def list_recorded() -> list[str]:
    """Names that `load_recorded` takes."""
    return sorted(path.stem for path in RECORDED_FEATURES.glob("*.safetensors"))


def load_recorded(name: str) -> RecordedFeatures:
    """Load recorded features that the package carries.

    Args:
        name: one of `list_recorded`, for instance "dinov2-s-photographs".

    Raises:
        ArgumentError: there is no such recording.
    """
    if name not in list_recorded():
        raise ArgumentError(f"name: unknown {name!r}, choose one of {', '.join(list_recorded())}")
    return read_recorded(RECORDED_FEATURES / f"{name}.safetensors")


def read_recorded(path: Path) -> RecordedFeatures:
    """Read a file that `write_recorded` wrote.

    Raises:
        DataError: the file is no recording.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    try:
        stored = load_file(path)
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})["about"])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise DataError(f"{path}: is no recording of features ({error})") from error
    tensors = {}
    for name, tensor in stored.items():
        if name.endswith(_SCALE):
            continue
        scale = stored.get(name + _SCALE)
        tensors[name] = tensor if scale is None else tensor.float() * scale
    return RecordedFeatures(tensors, about)


def write_recorded(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
    """Write features: floats (..., C) rounded to 8 bits, other tensors as they are.

    Args:
        path: the file, ``NAME.safetensors``.
        tensors: what to record.
        about: see `RecordedFeatures`.
    """
    from safetensors.torch import save_file

    stored = {}
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            stored[name] = tensor.contiguous()
            continue
        values = tensor.detach().float()
        scale = values.abs().flatten(0, -2).amax(dim=0).clamp_min(1e-12) / 127
        stored[name] = (values / scale).round().to(torch.int8).contiguous()
        stored[name + _SCALE] = scale.contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as temporary:
        save_file(stored, temporary, metadata={"about": json.dumps(dict(about))})


@torch.inference_mode()
def block_maps(
    tower: ImageTransformer, image: npt.NDArray[np.uint8], *, image_size: int, blocks: list[int]
) -> list[Tensor]:
    """Patch features (h, w, C) of an image (H, W, 3) after some blocks, counted from 0."""
    tokens, grid = tower.embed(preprocess([image], image_size))
    maps, start = [], 0
    for block in blocks:
        tokens = tower.forward_blocks(tokens, start, block + 1, grid=grid)
        maps.append(tower.tokens_to_map(tokens, grid)[0].permute(1, 2, 0).float())
        start = block + 1
    return maps


def object_vectors(feature_map: Tensor, masks: list[BoolMask], *, image_size: int) -> Tensor:
    """The mean feature of each object of one image, weighted by how much of a patch it covers.

    Args:
        feature_map: (h, w, C) on the letterboxed square.
        masks: K objects, bool (H, W) each.
        image_size: side of that square, pixels.

    Returns:
        (K, C).
    """
    height, width = masks[0].shape
    letterbox = Letterbox(height=height, width=width, size=image_size)
    squares = torch.stack([torch.from_numpy(letterbox.mask(mask)).float() for mask in masks])
    patch_size = image_size // feature_map.shape[0]
    weights = F.avg_pool2d(squares[:, None], patch_size).flatten(1)  # (K, h w)
    weights = weights / weights.sum(dim=1, keepdim=True).clamp_min(1e-6)
    return weights @ feature_map.flatten(0, 1)


def scene_object_vectors(
    tower: ImageTransformer, data: ReferData, image_id: int, *, image_size: int, block: int
) -> Tensor:
    """The vectors (K, C) of the K objects of a drawn scene, in the order of `data.objects`."""
    masks = [mask for _, mask in data.objects(image_id)]
    (feature_map,) = block_maps(tower, data.image(image_id), image_size=image_size, blocks=[block])
    return object_vectors(feature_map, masks, image_size=image_size)
