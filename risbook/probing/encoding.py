"""Look with frozen towers: from pictures and sentences to vectors, and from a map to the picture.

Towers take squares of one size and answer in patches; pictures have sizes of their own. These
functions go both ways, batch by batch and without a graph.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from risbook.data.letterbox import Letterbox, normalise
from risbook.errors import DataError
from risbook.towers.clip_tokenizer import CLIPTokenizer
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.text_transformer import TextTransformer
from risbook.towers.word_tokenizer import WordTokenizer

Pixels = npt.NDArray[np.uint8]

#: How tokens go through a tower's blocks; `ImageTransformer.run` is the usual way.
Run = Callable[[ImageTransformer, Tensor], Tensor]

_BATCH = 50


def squares(pictures: Sequence[Pixels], size: int) -> Tensor:
    """Letterbox and normalise pictures.

    Args:
        pictures: uint8 (height, width, 3) each, of any sizes.
        size: side S of the squares, pixels.

    Returns:
        (N, 3, S, S).
    """
    boxes = [Letterbox(height=p.shape[0], width=p.shape[1], size=size) for p in pictures]
    pairs = zip(boxes, pictures, strict=True)
    return torch.stack([torch.from_numpy(normalise(box.image(one))) for box, one in pairs])


@torch.inference_mode()
def look(
    tower: ImageTransformer, images: Tensor, run: Run = ImageTransformer.run
) -> tuple[Tensor, Tensor]:
    """Run an image tower to its end.

    Args:
        tower: the tower, on any device.
        images: normalised squares (N, 3, S, S).
        run: another way through the blocks; it may drop tokens before the patches.

    Returns:
        On the CPU: the finished class tokens (N, C) and patches (N, S / patch, S / patch, C).
    """
    device = next(tower.parameters()).device
    side = images.shape[-1] // tower.patch
    found = []
    for some in torch.split(images, _BATCH):
        tokens, _ = tower.embed(some.to(device))
        found.append(tower.finish(run(tower, tokens)).float().cpu())
    tokens = torch.cat(found)
    return tokens[:, 0], tokens[:, -side * side :].reshape(len(tokens), side, side, -1)


@torch.inference_mode()
def read(
    tower: TextTransformer, tokenizer: CLIPTokenizer | WordTokenizer, sentences: Sequence[str]
) -> Tensor:
    """Read sentences.

    Args:
        tower: a text tower, on any device.
        tokenizer: its tokenizer.
        sentences: N sentences.

    Returns:
        Unit vectors (N, P) on the CPU.
    """
    device = next(tower.parameters()).device
    ids = tokenizer(sentences)
    ids = ids[:, : int((ids != 0).sum(dim=1).max())]  # columns of padding alone cost time
    found = [tower(some.to(device)).sentence.float().cpu() for some in torch.split(ids, _BATCH)]
    return F.normalize(torch.cat(found), dim=-1)


def to_picture(cells: Tensor, picture: Pixels, size: int, *, smooth: bool = False) -> Tensor:
    """Bring a map of patches to the size of the picture that was letterboxed.

    Args:
        cells: (h, w) or (h, w, K), covering the letterboxed square.
        picture: the picture, (height, width, 3).
        size: side of that square, pixels.
        smooth: interpolate between patches instead of drawing each as a tile.

    Returns:
        (height, width) or (height, width, K).

    Raises:
        DataError: the map has another number of dimensions.
    """
    if cells.ndim not in (2, 3):
        raise DataError(f"a map of patches is (h, w) or (h, w, K), not {tuple(cells.shape)}")
    box = Letterbox(height=picture.shape[0], width=picture.shape[1], size=size)
    layers = cells.float()[..., None] if cells.ndim == 2 else cells.float()
    mode = "bilinear" if smooth else "nearest"
    full = F.interpolate(layers.movedim(-1, 0)[None], size=(size, size), mode=mode)[0]
    back = torch.stack([torch.from_numpy(box.undo(one.cpu().numpy())) for one in full], dim=-1)
    return back[..., 0] if cells.ndim == 2 else back


def inside(pictures: Sequence[Pixels], size: int, patch: int) -> Tensor:
    """Which patches of letterboxed pictures no padding touches.

    Args:
        pictures: (height, width, 3) each.
        size: side S of the squares, pixels.
        patch: side of a patch, pixels.

    Returns:
        bool (N, S / patch, S / patch).

    >>> inside([np.zeros((16, 32, 3), np.uint8)], 32, 8).sum(dim=2).tolist()
    [[0, 4, 4, 0]]
    """
    boxes = [Letterbox(height=p.shape[0], width=p.shape[1], size=size) for p in pictures]
    covered = [box.mask(np.ones(p.shape[:2], bool)) for box, p in zip(boxes, pictures, strict=True)]
    full = torch.stack([torch.from_numpy(one) for one in covered]).float()
    # the smallest value of each patch; bilinear edges lie between 0 and 1
    return -F.max_pool2d(-full[:, None], patch)[:, 0] > 0.99


def close_views(
    picture: Pixels, masks: Sequence[npt.NDArray[np.bool_]], size: int, *, margin: float = 1.5
) -> list[Pixels]:
    """Cut objects out of a picture, each in a square around the middle of its box.

    Args:
        picture: (height, width, 3).
        masks: the objects, (height, width) each, none of them empty.
        size: side of the views, pixels.
        margin: side of the square in units of the object's longer side. Beyond the picture its
            edge is repeated.

    Returns:
        One view (size, size, 3) for each mask.

    Raises:
        DataError: a mask is empty.
    """
    views = []
    for mask in masks:
        rows, columns = np.nonzero(mask)
        if not len(rows):
            raise DataError("close_views: a mask is empty; there is nothing to cut out")
        side = round(margin * (1 + max(np.ptp(rows), np.ptp(columns))))
        top = (int(rows.min()) + int(rows.max()) + 1 - side) // 2
        left = (int(columns.min()) + int(columns.max()) + 1 - side) // 2
        down = np.arange(top, top + side).clip(0, picture.shape[0] - 1)
        across = np.arange(left, left + side).clip(0, picture.shape[1] - 1)
        view = picture[down[:, None], across[None]]
        views.append(Letterbox(height=side, width=side, size=size).image(view))
    return views
