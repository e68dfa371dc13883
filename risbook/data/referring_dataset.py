"""A split as a torch dataset: one item per expression, ready for a plain ``DataLoader``."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, TypedDict, overload

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from risbook.attribute_hints import missing_attribute
from risbook.data.checks import show
from risbook.data.dataset import ReferData
from risbook.data.expressions import Expression, TextKind
from risbook.data.letterbox import Letterbox, normalise
from risbook.data.masks import BoolMask
from risbook.errors import ArgumentError, DataError
from risbook.keyword_aliases import keyword_aliases
from risbook.synonyms import DATASET_HINTS


class Item(TypedDict):
    """One expression as a network takes it.

    ``torch.utils.data.default_collate`` stacks the tensors, lists the texts and makes one int64
    tensor of each number.
    """

    #: letterboxed and normalised with CLIP's mean and standard deviation, float32 (3, S, S)
    image: Tensor
    text: str
    #: letterboxed, float32 (1, S, S) of 0 and 1, so that it serves as target and for the metrics;
    #: `Letterbox.mask` gives the soft edges of training in the released repositories
    mask: Tensor
    image_id: int
    ref_id: int
    ann_id: int
    sent_id: int
    #: size of the original image in pixels, which `Letterbox` needs to undo the letterbox
    height: int
    width: int


#: side of the letterboxed square in the released configurations of CRIS and ETRIS, pixels
DEFAULT_IMAGE_SIZE = 416

#: what an item holds of its expression under the same name
_COPIED = ("image_id", "ref_id", "ann_id", "sent_id", "height", "width")

#: the parts of a sample that `ReferringDataset.map` can change
_PARTS = ("image", "text", "mask", "category")

#: which items a smaller dataset has: a slice, indices, or a flag for each item
Indices = slice | Sequence[int] | npt.NDArray[Any] | Tensor


class ReferringDataset(Dataset[Item]):
    """Every expression of one split with its image and its mask.

    Training as CRIS and ETRIS do it visits each *object* once per epoch instead, with one of its
    sentences: that is `risbook.data.samples.TrainingSamples`.

    Args:
        data: the dataset.
        split: one of ``data.splits``. Without it, "train", or the only split that there is.
        image_size: side S of the letterboxed square, pixels.
        text_kind: "sent" (cleaned, CRIS and ETRIS) or "raw" (as typed, LAVT, Yang et al., 2022).

    Raises:
        DataError: there is no such split, or an argument is out of range.
    """

    def __init__(
        self,
        data: ReferData,
        *,
        split: str | None = None,
        image_size: int = DEFAULT_IMAGE_SIZE,
        text_kind: TextKind = "sent",
    ) -> None:
        if isinstance(image_size, bool) or not isinstance(image_size, int) or image_size <= 0:
            raise DataError(
                f"image_size must be a positive int (side of the square), got {show(image_size)}"
            )
        if text_kind not in ("sent", "raw"):
            raise DataError(f"text_kind must be 'sent' or 'raw', got {show(text_kind)}")
        self.data = data
        self.split = _split_name(data, split)
        #: the split's expressions, in file order
        self.expressions = data.expressions.split(self.split)
        self.image_size = image_size
        self.text_kind: TextKind = text_kind

    @property
    def name(self) -> str:
        """Name of the dataset."""
        return self.data.name

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of all splits of the dataset."""
        return self.data.splits

    #: the loader's own, for those who pass one
    collate_fn = staticmethod(default_collate)

    def __len__(self) -> int:
        return len(self.expressions)

    def __repr__(self) -> str:
        return (
            f"ReferringDataset({self.name!r}, split={self.split!r}: {len(self)} expressions, "
            f"image_size={self.image_size})"
        )

    def item_data(self) -> ReferData:
        """The annotations of these items alone, without those of other splits."""
        return replace(self.data, expressions=self.expressions)

    @property
    def sentences(self) -> list[str]:
        """The sentences of all items, in their order."""
        return [expression.text(self.text_kind) for expression in self.expressions]

    def changed(
        self,
        *,
        split: str | None = None,
        image_size: int | None = None,
        text_kind: TextKind | None = None,
    ) -> "ReferringDataset":
        """The same items with another image size or kind of text; of another split, all items."""
        dataset = ReferringDataset(
            self.data,
            split=split or self.split,
            image_size=self.image_size if image_size is None else image_size,
            text_kind=text_kind or self.text_kind,
        )
        if dataset.split == self.split:
            dataset.expressions = self.expressions
        return dataset

    def select(self, indices: Iterable[int]) -> "ReferringDataset":
        """The items of these indices as a smaller dataset; ``data[:16]`` is the same for slices."""
        subset = copy(self)
        subset.expressions = self.expressions.select(indices)
        return subset

    def filter(self, condition: Callable[[Mapping[str, Any]], bool]) -> "ReferringDataset":
        """The items that meet a condition, as a smaller dataset.

        Args:
            condition: takes a sample as it is annotated: "text", "category", "bbox", the ids, and,
                decoded only if they are asked for, "image" (H, W, 3) and "mask" (H, W) at the
                original size. For instance ``lambda sample: "left" in sample["text"]``.
        """
        return self.select(i for i in range(len(self)) if condition(_LazySample(self, i)))

    def map(self, function: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> "ReferringDataset":
        """The same items with other images, sentences or masks, as a dataset in memory.

        Args:
            function: takes a sample as `filter` gives it, and returns the parts that change: any of
                "image", "text", "mask" and "category". Other parts that it returns are ignored. For
                instance ``lambda sample: {"text": sample["text"].replace("left", "right")}``.
        """
        from risbook.data.sample_list import from_samples

        samples = []
        for index in range(len(self)):
            sample = _LazySample(self, index)
            changed = dict(function(sample))
            for part in _PARTS:
                changed.setdefault(part, sample[part])
            samples.append({part: changed[part] for part in _PARTS})
        data = from_samples(samples, name=self.name)
        return ReferringDataset(data, image_size=self.image_size, text_kind=self.text_kind)

    @keyword_aliases({"random_state": "seed"}, name="data.train_test_split")
    def train_test_split(
        self, test_size: float | int = 0.25, *, seed: int = 0
    ) -> dict[str, "ReferringDataset"]:
        """Split the items at random into two datasets that share no image.

        `torch.utils.data.random_split` draws sentences. It puts sentences about one object on both
        sides, so the scores of its second part are not those of unseen images.

        Args:
            test_size: share of the images in "test", or as an int their number.
            seed: decides which images.

        Returns:
            The datasets "train" and "test", as Hugging Face calls them.

        Raises:
            ArgumentError: if one of the two would have no image.
        """
        image_ids = sorted({expression.image_id for expression in self.expressions})
        is_number = isinstance(test_size, int)
        count = int(test_size) if is_number else round(test_size * len(image_ids))
        if not 0 < count < len(image_ids):
            raise ArgumentError(
                f"test_size is {test_size}; it must leave images to both parts: a share between 0 "
                f"and 1, or a number of the {len(image_ids)} images"
            )
        test_ids = np.random.default_rng(seed).permutation(image_ids)[:count]
        is_test = np.isin([expression.image_id for expression in self.expressions], test_ids)
        return {"train": self[~is_test], "test": self[is_test]}

    def __getattr__(self, name: str) -> Any:
        owner = "'ReferringDataset' object"
        raise missing_attribute(owner, name, dir(self), DATASET_HINTS, prefix="data")

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: Indices) -> "ReferringDataset": ...
    def __getitem__(self, index: int | Indices) -> "Item | ReferringDataset":
        if isinstance(index, slice):
            return self.select(range(len(self))[index])
        if isinstance(index, np.ndarray | Tensor):
            array = np.atleast_1d(np.asarray(index))
            return self.select(np.flatnonzero(array) if array.dtype == bool else array.tolist())
        if isinstance(index, Sequence):
            return self.select(index)
        expression = self.expression(index)
        letterbox = self.letterbox(index)
        image = normalise(letterbox.image(self.data.image(expression)))
        mask = letterbox.mask(self.data.mask(expression)) > 0.5
        return Item(
            image=torch.from_numpy(image),
            text=expression.text(self.text_kind),
            mask=torch.from_numpy(mask).float()[None],
            image_id=expression.image_id,
            ref_id=expression.ref_id,
            ann_id=expression.ann_id,
            sent_id=expression.sent_id,
            height=expression.height,
            width=expression.width,
        )

    def expression(self, index: int) -> Expression:
        """The sentence with its ids, category, box and image size."""
        return self.expressions[index]

    def image(self, index: int) -> npt.NDArray[np.uint8]:
        """The original image, uint8 (height, width, 3)."""
        return self.data.image(self.expression(index))

    def mask(self, index: int) -> BoolMask:
        """The mask at the original size, bool (height, width)."""
        return self.data.mask(self.expression(index))

    def letterbox(self, index: int) -> Letterbox:
        """How the original image is scaled and centred in the square, and how to undo that."""
        expression = self.expression(index)
        return Letterbox(height=expression.height, width=expression.width, size=self.image_size)


class _LazySample(dict[str, Any]):
    """A sample as annotated, whose image and mask are decoded when they are asked for."""

    def __init__(self, dataset: ReferringDataset, index: int) -> None:
        expression = dataset.expression(index)
        copied = {name: getattr(expression, name) for name in ("category", "bbox", *_COPIED)}
        super().__init__(text=expression.text(dataset.text_kind), **copied)
        self._dataset, self._index = dataset, index

    def __missing__(self, name: str) -> Any:
        decode = {"image": self._dataset.image, "mask": self._dataset.mask}
        if name not in decode:
            raise KeyError(f"{name!r}; a sample has {', '.join([*self, *decode])}")
        self[name] = decode[name](self._index)
        return self[name]


def _split_name(data: ReferData, split: str | None) -> str:
    if split is None:
        if "train" in data.splits:
            return "train"
        if len(data.splits) == 1:
            return data.splits[0]
        raise DataError(f"{data.name}: name a split by split=: {', '.join(data.splits)}")
    if split == "validation" and split not in data.splits:
        return "val"  # the word of Hugging Face
    return split
