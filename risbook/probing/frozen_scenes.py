"""What two frozen small towers make of the expressions of drawn scenes, computed once.

An adapter in the last block of the image tower, beside the MLP, sees the same inputs in every step
of a training. So they are computed before it, for some images of a split and all expressions about
them. Masks are given on the grid of patches.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from risbook.data.dataset import ReferData
from risbook.data.letterbox import Letterbox
from risbook.probing.encoding import preprocess
from risbook.towers.build import build_tower, tokenizer_of

IMAGE_SIZE, PATCH, BLOCK, LENGTH = 96, 8, 11, 17
BATCH = 20


class SceneSamples(NamedTuple):
    """N expressions about some images, with what the frozen towers make of them.

    Args:
        rows: the expressions.
        images: "tokens", "normed" and "mlp", (images, 149, 128) each: the tokens before the MLP of
            the last block, the same behind its norm, and the output of the MLP.
        objects: per image the category and the patches, bool (12, 12), of every object.
        image_index: (N,), the image of each expression.
        text_tokens: (N, 17, 128).
        padding: bool (N, 17), true for padding.
        masks: (N, 12, 12), the covered share of each patch.
    """

    rows: list[Any]
    images: dict[str, Tensor]
    objects: list[list[tuple[str, Tensor]]]
    image_index: Tensor
    text_tokens: Tensor
    padding: Tensor
    masks: Tensor


def to_patches(mask: npt.NDArray[np.bool_]) -> Tensor:
    """The covered share of each patch, (12, 12), of a mask (H, W)."""
    height, width = mask.shape
    letterbox = Letterbox(height=height, width=width, size=IMAGE_SIZE)
    return F.avg_pool2d(torch.from_numpy(letterbox.mask(mask)).float()[None], PATCH)[0]


class FrozenTowers:
    """The small DINOv2 up to the MLP of its last block, and the small text tower."""

    def __init__(self) -> None:
        self.image_tower: Any = build_tower("dinov2-mini").requires_grad_(False)
        self.text_tower: Any = build_tower("clip-mini-40k-text").requires_grad_(False)
        self.tokenizer = tokenizer_of("clip-mini-40k-text", length=LENGTH)
        # Any, because a tower of an unknown kind need not have branches.
        image_tower: Any = self.image_tower
        self.norm, self.mlp, self.scale = image_tower.branch_layers(BLOCK, "mlp")

    @torch.no_grad()
    def encode_images(self, images: list[Any]) -> dict[str, Tensor]:
        """What an adapter in the last block needs of images (H, W, 3)."""
        tower, parts = self.image_tower, []
        for start in range(0, len(images), BATCH):
            x, grid = tower.embed(preprocess(images[start : start + BATCH], IMAGE_SIZE))
            x = tower.forward_blocks(x, 0, BLOCK, grid=grid)
            parts.append(x + tower.forward_branch(BLOCK, "attention", x, grid=grid))
        tokens = torch.cat(parts)
        normed = self.norm(tokens)
        return {"tokens": tokens, "normed": normed, "mlp": self.mlp(normed)}

    @torch.no_grad()
    def encode_sentences(self, sentences: list[str]) -> tuple[Tensor, Tensor]:
        """Text tokens (N, 17, 128), and where they are padding, (N, 17)."""
        features = self.text_tower(self.tokenizer(sentences))
        return features.text_tokens, features.key_padding_mask

    def load(self, data: ReferData, split: str, num_images: int) -> SceneSamples:
        """All expressions about some images of a split, evenly taken."""
        rows = list(data.expressions.split(split))
        image_ids = sorted({row.image_id for row in rows})
        image_ids = image_ids[:: len(image_ids) // num_images][:num_images]
        place = {image_id: number for number, image_id in enumerate(image_ids)}
        rows = [row for row in rows if row.image_id in place]
        objects = [
            [(name, to_patches(mask) >= 0.5) for name, mask in data.objects(image_id)]
            for image_id in image_ids
        ]
        text_tokens, padding = self.encode_sentences([row.sent for row in rows])
        return SceneSamples(
            rows=rows,
            images=self.encode_images([data.image(number) for number in image_ids]),
            objects=objects,
            image_index=torch.tensor([place[row.image_id] for row in rows]),
            text_tokens=text_tokens,
            padding=padding,
            masks=torch.stack([to_patches(data.mask(row)) for row in rows]),
        )
