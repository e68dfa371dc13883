"""Images and sentences through frozen towers, and a map of patches back to its image.

Towers take square images of one size and return patches; images of a dataset have any size. These
functions convert in both directions, in batches and without gradients.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from risbook.data.letterbox import Letterbox, normalise
from risbook.data.masks import BoolMask, mask_box
from risbook.errors import DataError
from risbook.tokenizers.clip_tokenizer import CLIPTokenizer
from risbook.tokenizers.word_tokenizer import WordTokenizer
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.stages import StagedTextTower

Pixels = npt.NDArray[np.uint8]

#: How tokens go through a tower's blocks; `ImageTransformer.forward_blocks` is the default.
ForwardBlocks = Callable[[ImageTransformer, Tensor], Tensor]

_BATCH = 50


def preprocess(images: Sequence[Pixels], image_size: int) -> Tensor:
    """Letterbox and normalise images (H, W, 3) of any sizes: (N, 3, image_size, image_size)."""
    squares = [normalise(_letterbox(image, image_size).image(image)) for image in images]
    return torch.stack([torch.from_numpy(square) for square in squares])


@torch.inference_mode()
def encode_image(
    tower: ImageTransformer,
    images: Tensor,
    forward_blocks: ForwardBlocks = ImageTransformer.forward_blocks,
) -> tuple[Tensor, Tensor]:
    """Run an image tower to its end.

    Args:
        tower: the tower, on any device.
        images: preprocessed images (N, 3, S, S).
        forward_blocks: replaces the pass through the blocks; it may drop tokens before the patches.

    Returns:
        On the CPU: the finished class tokens (N, C) and patches (N, S / patch, S / patch, C).
    """
    device = next(tower.parameters()).device
    side = images.shape[-1] // tower.patch_size
    outputs = []
    for batch in torch.split(images, _BATCH):
        tokens, _ = tower.embed(batch.to(device))
        outputs.append(tower.forward_final(forward_blocks(tower, tokens)).float().cpu())
    tokens = torch.cat(outputs)
    return tokens[:, 0], tokens[:, -side * side :].reshape(len(tokens), side, side, -1)


@torch.inference_mode()
def encode_text(
    tower: StagedTextTower, tokenizer: CLIPTokenizer | WordTokenizer, sentences: Sequence[str]
) -> Tensor:
    """Encode N sentences as unit vectors (N, P) on the CPU, with a text tower on any device."""
    device = next(tower.parameters()).device
    ids = tokenizer(sentences)
    ids = ids[:, : int((ids != 0).sum(dim=1).max())]  # columns of padding alone cost time
    vectors = [
        tower(batch.to(device)).sentence_embedding.float().cpu()
        for batch in torch.split(ids, _BATCH)
    ]
    return F.normalize(torch.cat(vectors), dim=-1)


def upsample_to_image(
    cells: Tensor, image: Pixels, image_size: int, *, smooth: bool = False
) -> Tensor:
    """Bring a map of patches to the size of the image that was letterboxed.

    Args:
        cells: (h, w) or (h, w, K), covering the letterboxed square.
        image: (H, W, 3).
        image_size: side of that square, pixels.
        smooth: interpolate between patches instead of drawing each as a tile.

    Returns:
        (H, W) or (H, W, K).

    Raises:
        DataError: the map has neither two nor three dimensions.
    """
    if cells.ndim not in (2, 3):
        raise DataError(f"a map of patches is (h, w) or (h, w, K), not {tuple(cells.shape)}")
    letterbox = _letterbox(image, image_size)
    layers = cells.float()[..., None] if cells.ndim == 2 else cells.float()
    mode = "bilinear" if smooth else "nearest"
    square = F.interpolate(layers.movedim(-1, 0)[None], size=(image_size, image_size), mode=mode)[0]
    restored = torch.stack(
        [torch.from_numpy(letterbox.undo(layer.cpu().numpy())) for layer in square], dim=-1
    )
    return restored[..., 0] if cells.ndim == 2 else restored


def valid_patches(images: Sequence[Pixels], image_size: int, patch_size: int) -> Tensor:
    """Which patches of letterboxed images no padding touches.

    Args:
        images: N images (H, W, 3).
        image_size: side S of the squares, pixels.
        patch_size: side of a patch, pixels.

    Returns:
        bool (N, S / patch_size, S / patch_size).

    >>> valid_patches([np.zeros((16, 32, 3), np.uint8)], 32, 8).sum(dim=2).tolist()
    [[0, 4, 4, 0]]
    """
    coverage = [
        _letterbox(image, image_size).mask(np.ones(image.shape[:2], bool)) for image in images
    ]
    stacked = torch.stack([torch.from_numpy(square) for square in coverage]).float()
    # the smallest value of each patch; bilinear edges lie between 0 and 1
    return -F.max_pool2d(-stacked[:, None], patch_size)[:, 0] > 0.99


def object_crops(
    image: Pixels, masks: Sequence[BoolMask], crop_size: int, *, margin: float = 1.5
) -> list[Pixels]:
    """Crop objects out of an image, each in a square around the middle of its bounding box.

    Args:
        image: (H, W, 3).
        masks: the objects, (H, W) each, none of them empty.
        crop_size: side of the crops, pixels.
        margin: side of the square in units of the object's longer side. Beyond the image its
            edge is repeated.

    Returns:
        One crop (crop_size, crop_size, 3) per mask.

    Raises:
        DataError: a mask is empty.
    """
    crops = []
    for mask in masks:
        left, top, width, height = mask_box(mask)
        if not width:
            raise DataError("object_crops: a mask is empty; there is nothing to crop")
        side = round(margin * max(width, height))
        y = np.arange(side) + (2 * top + height - side) // 2
        x = np.arange(side) + (2 * left + width - side) // 2
        rows = y.clip(0, image.shape[0] - 1)
        columns = x.clip(0, image.shape[1] - 1)
        square = image[rows[:, None], columns]
        crops.append(_letterbox(square, crop_size).image(square))
    return crops


def _letterbox(image: Pixels, size: int) -> Letterbox:
    return Letterbox(height=image.shape[0], width=image.shape[1], size=size)
