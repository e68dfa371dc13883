"""Data for PyTorch in one call: a name, a folder, or samples of one's own.

This is what `risbook.data.load` and `risbook.load_dataset` are.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader, Subset

from risbook.data.catalog import open_data, separate_split
from risbook.data.dataset import ReferData
from risbook.data.expressions import TextKind
from risbook.data.hf_rows import from_hf_rows
from risbook.data.referring_dataset import DEFAULT_IMAGE_SIZE, ReferringDataset
from risbook.data.sample_list import from_samples
from risbook.errors import DataError
from risbook.keyword_aliases import keyword_aliases


@keyword_aliases(
    {
        "size": "image_size",
        "img_size": "image_size",
        "resolution": "image_size",
        "path": "name",
        "dataset": "name",
        "data_dir": "root",
        "data_root": "root",
        "text": "text_kind",
    },
    hints={
        "batch_size": "batches are made by DataLoader(data, batch_size=...)",
        "transform": "images are letterboxed and normalised already",
        **dict.fromkeys(
            ("limit", "max_samples", "num_samples"), "take data[:N] of what this returns"
        ),
    },
    name="risbook.data.load",
)
def load(
    name: Any,
    split: str | None = None,
    *,
    root: str | Path | None = None,
    image_size: int | None = None,
    partition: str | None = None,
    images: str | Path | None = None,
    text_kind: TextKind | None = None,
) -> ReferringDataset:
    """Load one split of a dataset for PyTorch.

    Its items are dictionaries of ``image`` (3, S, S), ``text``, ``mask`` (1, S, S) and ids::

        data = risbook.data.load("refscenes", split="val")
        for batch in DataLoader(data, batch_size=8):
            batch["image"], batch["text"], batch["mask"]

    Args:
        name: a name or a folder, as for `open_data`, with or without a split behind a colon:
            "refscenes:val"; or samples of your own: a list or a torch
            dataset of ``{"image": ..., "text": ..., "mask": ...}``, see `from_samples`; or rows of
            Hugging Face, see `from_hf_rows`; or a dataset that was loaded before.
        split: for instance "val". Without it, "train", or the only split that there is.
        root: as for `open_data`.
        image_size: side S of the letterboxed square, pixels; None for 416, or for that of a
            dataset that was loaded before.
        partition: as for `open_data`.
        images: as for `open_data`.
        text_kind: "sent" (cleaned sentences, as CRIS and ETRIS) or "raw" (as typed, as LAVT,
            Yang et al., 2022); None for "sent", or likewise.

    Raises:
        DataError: there is no such dataset or split, or a file or sample of it is malformed.
    """
    data = name
    if isinstance(name, str | Path):
        name, split = separate_split(name, split)
        data = open_data(name, partition=partition, images=images, root=root)
    return as_dataset(data, split, image_size=image_size, text_kind=text_kind)


def as_dataset(
    data: Any,
    split: str | None = None,
    *,
    image_size: int | None = None,
    text_kind: TextKind | None = None,
) -> ReferringDataset:
    """What people have as data, as a dataset.

    Args:
        data: a `ReferringDataset`, a torch ``Subset`` of one, a ``DataLoader`` of either, a
            `ReferData`, a name or folder, also with a split as "refscenes:val", or samples, see
            `from_samples`.
        split: a split of it; None for that of the dataset.
        image_size: side S of the letterboxed square, pixels; None for that of a dataset, or 416.
        text_kind: "sent" or "raw"; None for that of a dataset, or "sent".

    Raises:
        DataError: for anything else, and as `load`.
    """
    if isinstance(data, DataLoader):
        data = data.dataset
    if isinstance(data, Subset):
        whole = as_dataset(data.dataset, split, image_size=image_size, text_kind=text_kind)
        return whole.select(data.indices)
    if isinstance(data, ReferringDataset):
        return data.changed(split=split, image_size=image_size, text_kind=text_kind)
    if isinstance(data, str | Path):
        name, split = separate_split(data, split)
        data = open_data(name)
    elif not isinstance(data, ReferData):
        if not hasattr(data, "__getitem__") or not hasattr(data, "__len__"):
            raise DataError(
                f"the data is a {type(data).__name__}; give a name such as 'refscenes', a folder "
                "that holds instances.json, or a list of {'image': ..., 'text': ..., 'mask': ...}"
            )
        items = (data[index] for index in range(len(data)))
        has_rows = len(data) and isinstance(data[0], Mapping) and "raw_anns" in data[0]
        data = from_hf_rows(items) if has_rows else from_samples(items)
    image_size = DEFAULT_IMAGE_SIZE if image_size is None else image_size
    return ReferringDataset(data, split=split, image_size=image_size, text_kind=text_kind or "sent")
