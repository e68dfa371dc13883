"""Training samples: letterboxed images, sentences and soft masks, one per object and epoch.

Training visits every referred object once per epoch with one sentence drawn at random, as CRIS
(Wang et al., 2022), ETRIS (Xu et al., 2023), DETRIS (Huang et al., 2025) and LAVT (Yang et al.,
2022) do. Which sentence that is follows from (seed, epoch, object) alone, and not from the state of
a generator, so a run that was killed can go on exactly where it was.
"""

import random
import zlib
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import BatchSampler, Dataset

from risbook.data.dataset import ReferData
from risbook.data.expressions import Expression, Referent, TextKind
from risbook.data.image_key import image_key
from risbook.data.image_subset import ImageKey, choose_images
from risbook.data.letterbox import Letterbox, normalise
from risbook.data.letterbox_cache import LetterboxCache
from risbook.errors import ArgumentError


@dataclass(frozen=True, slots=True)
class Sample:
    """One training sample.

    Args:
        image: letterboxed image, uint8 (S, S, 3).
        text: the sentence.
        mask: letterboxed mask, float32 (S, S) in [0, 1], soft at its edges.
    """

    image: NDArray[np.uint8]
    text: str
    mask: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of training samples.

    Args:
        images: normalised images, float32 (B, 3, S, S).
        texts: B sentences.
        masks: float32 (B, 1, S, S) in [0, 1].
    """

    images: Tensor
    texts: list[str]
    masks: Tensor


def collate(samples: Sequence[Sample]) -> Batch:
    """Put samples together and normalise the images."""
    size = samples[0].image.shape[0]
    images = np.empty((len(samples), 3, size, size), np.float32)
    for sample, place in zip(samples, images, strict=True):
        normalise(sample.image, out=place)
    return Batch(
        images=torch.from_numpy(images),
        texts=[sample.text for sample in samples],
        masks=torch.from_numpy(np.stack([sample.mask for sample in samples])[:, None]),
    )


class TrainingSamples(Dataset[Sample]):
    """The referred objects of one or several sets, one random sentence each.

    Where several sets are joined, an image that any of them holds out (any split that is not
    trained on) is trained on in none: the real sets share images, and one set's training images
    are another's test. A set alone is trained on as it was published; the google partitions share
    images between their splits by design.

    Args:
        sources: the sets.
        splits: the splits to train on, "train" unless one overfits on purpose.
        image_size: side S of the letterboxed square, pixels.
        seed: decides, with the epoch, which sentence is drawn.
        text_kind: "sent" (CRIS, ETRIS, DETRIS) or "raw" (LAVT).
        cache_images: keep letterboxed images in memory, 3 S^2 bytes per image, and their masks, a
            few hundred bytes per object.
        image_cache: read letterboxed images from a folder in place of the originals.
        num_images: train on the objects of so many images, see `image_subset`; 0 for all images.
            Sets that share images share the subset.
        subset_seed: decides which images; it does not depend on `seed`.

    Raises:
        ArgumentError: there are fewer than `num_images` images.
    """

    def __init__(
        self,
        *,
        sources: Sequence[ReferData],
        splits: Sequence[str] = ("train",),
        image_size: int = 416,
        seed: int = 0,
        text_kind: TextKind = "sent",
        cache_images: bool = False,
        image_cache: LetterboxCache | None = None,
        num_images: int = 0,
        subset_seed: int = 0,
    ) -> None:
        self.sources = tuple(sources)
        self.image_size = image_size
        self.seed = seed
        self.text_kind: TextKind = text_kind
        self.epoch = 0
        held_out = {
            image_key(source, expression)
            for source in sources
            for expression in source.expressions
            if expression.split not in splits
        }
        referents = [
            (source, referent)
            for source in sources
            for split in splits
            if len(sources) == 1 or split in source.expressions.splits
            for referent in source.expressions.split(split).refs
        ]
        self.objects: list[tuple[ReferData, Referent]] = [
            (source, referent)
            for source, referent in referents
            if len(sources) == 1 or image_key(source, referent.expressions[0]) not in held_out
        ]
        #: objects left out because another set evaluates on their image
        self.dropped = len(referents) - len(self.objects)
        kept, listed = (
            {image_key(source, referent.expressions[0]) for source, referent in pairs}
            for pairs in (self.objects, referents)
        )
        #: images of these objects
        self.dropped_images = len(listed - kept)
        if num_images:
            self._keep_images(num_images, subset_seed)
        self.cache_images = cache_images
        self.image_cache = image_cache
        self._images: dict[ImageKey, NDArray[np.uint8]] = {}
        self._masks: dict[int, bytes] = {}  # compressed, by the number of the object

    def __len__(self) -> int:
        return len(self.objects)

    def _keep_images(self, num_images: int, seed: int) -> None:
        """Leave out all objects but those of a subset of the images."""
        images = [image_key(source, row.expressions[0]) for source, row in self.objects]
        if num_images > (total := len(set(images))):
            names = ", ".join(source.name for source in self.sources)
            raise ArgumentError(
                f"num_images is {num_images}, but there are {total} images to train on in {names}; "
                f"give at most {total}, or 0 for all"
            )
        subset = choose_images(images, num_images=num_images, seed=seed)
        pairs = zip(self.objects, images, strict=True)
        self.objects = [pair for pair, image in pairs if image in subset]

    def with_image_size(self, image_size: int) -> "TrainingSamples":
        """The same samples with another side of the letterboxed square."""
        samples = copy(self)
        samples.image_size = image_size
        samples._images, samples._masks = {}, {}
        return samples

    def sentences(self) -> Iterator[str]:
        """Every sentence that may be drawn, for building a vocabulary."""
        for _, referent in self.objects:
            for expression in referent.expressions:
                yield expression.text(self.text_kind)

    def draw_expression(self, index: int) -> Expression:
        """The expression that this epoch draws for an object."""
        expressions = self.objects[index][1].expressions
        return random.Random(f"{self.seed}/{self.epoch}/{index}").choice(expressions)

    def __getitem__(self, index: int) -> Sample:
        source = self.objects[index][0]
        expression = self.draw_expression(index)
        letterbox = Letterbox(
            height=expression.height, width=expression.width, size=self.image_size
        )
        return Sample(
            image=self._image(source, expression, letterbox),
            text=expression.text(self.text_kind),
            mask=self._mask(index, source, expression, letterbox),
        )

    def _image(
        self, source: ReferData, expression: Expression, letterbox: Letterbox
    ) -> NDArray[np.uint8]:
        key = image_key(source, expression)
        if key in self._images:
            return self._images[key]
        if self.image_cache is not None:
            image = self.image_cache.read(expression, self.image_size)
        else:
            image = letterbox.image(source.image(expression))
        if self.cache_images:
            self._images[key] = image
        return image

    def _mask(
        self, index: int, source: ReferData, expression: Expression, letterbox: Letterbox
    ) -> NDArray[np.float32]:
        if index in self._masks:
            levels = np.frombuffer(zlib.decompress(self._masks[index]), np.uint8)
        else:
            levels = letterbox.mask_levels(source.mask(expression))
            if self.cache_images:
                self._masks[index] = zlib.compress(levels.tobytes(), level=1)
        square = levels.reshape(self.image_size, self.image_size)
        mask = square.astype(np.float32)
        mask /= np.float32(255)
        return mask


class EpochBatches(BatchSampler):
    """The batches of one epoch as lists of indices, in an order that (seed, epoch) decides.

    Args:
        count: number of samples.
        batch_size: samples per batch; an incomplete last one is dropped, as in the released
            repositories.
        seed: seed of the order.
        epoch: number of the epoch.
        start: batches to leave out at the beginning, when a run is resumed.
    """

    def __init__(
        self, *, count: int, batch_size: int, seed: int, epoch: int, start: int = 0
    ) -> None:
        order = np.random.default_rng([seed, epoch]).permutation(count).tolist()
        super().__init__(order[start * batch_size :], batch_size, drop_last=True)
