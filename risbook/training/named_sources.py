"""Datasets under names: a run's configuration, which is a JSON file, holds names only."""

from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader, Subset

from risbook.data import ReferData, ReferringDataset, open_data
from risbook.data.catalog import separate_split
from risbook.data.load_dataset import as_dataset
from risbook.errors import ArgumentError

#: what a list of data may hold; a list of anything else is one list of samples
ENTRY_TYPES = (str, Path, ReferData, ReferringDataset, Subset, DataLoader)


class NamedSources:
    """The data that `risbook.train` was given, by the names that the configuration gets.

    A dataset of a whole split has the name of its set. A part of a split has a name of its own, so
    that "set:split" always means the whole split.

    Args:
        partition: of data that are given by name, as for `risbook.data.open_data`.
        images: folder of the images of such data, as there.

    Attributes:
        by_name: the annotations by name, those of the whole sets among them.
        image_sizes: sides of the squares of the training data that are datasets or samples, pixels.
    """

    def __init__(self, *, partition: str | None = None, images: str | None = None) -> None:
        self.partition = partition
        self.images = images
        self.by_name: dict[str, ReferData] = {}
        self.image_sizes: set[int] = set()

    def add_training_data(self, data: Any) -> dict[str, Any]:
        """Name what is trained on.

        Args:
            data: a name, a folder, "set:split", a dataset, or samples; or a list of names, folders
                and datasets.

        Returns:
            The field "data" of `TrainingConfig`, and where there are datasets "splits" and
            "text_kind" as well.

        Raises:
            DataError: for data that cannot be opened.
            ArgumentError: for datasets of different texts, and for a name beside datasets of
                another split than train.
        """
        entries = [self._open_split(entry) for entry in _list(data)]
        datasets = [entry for entry in entries if isinstance(entry, ReferringDataset)]
        text_kinds = sorted({dataset.text_kind for dataset in datasets})
        if len(text_kinds) > 1:
            raise ArgumentError(
                f"the datasets differ in text_kind, {' and '.join(text_kinds)}; load them all with "
                "one text_kind="
            )
        splits = sorted({dataset.split for dataset in datasets})
        if datasets and len(datasets) < len(entries) and splits != ["train"]:
            raise ArgumentError(
                f"a name means the split train, but the datasets beside it are of {splits[0]}; "
                "load the name as a dataset, too"
            )
        names = []
        for entry in entries:
            if isinstance(entry, ReferringDataset):
                # Where the splits differ, each set is trained on in its own split only.
                names.append(self._add_dataset(entry, alone=len(splits) > 1))
            else:
                source = open_data(entry, partition=self.partition, images=self.images)
                names.append(self._add(str(entry), source))
        fields: dict[str, Any] = {"data": list(dict.fromkeys(names))}
        if datasets:
            fields |= {"splits": splits, "text_kind": text_kinds[0]}
        return fields

    def add_eval_data(self, data: Any) -> list[str]:
        """Name what is evaluated while training.

        Args:
            data: "set:split", a dataset, or samples; or a list of texts and datasets.

        Returns:
            The field "eval_splits" of `TrainingConfig`: each as "set:split".

        Raises:
            DataError: for data that cannot be opened.
        """
        eval_splits = []
        for entry in _list(data):
            if isinstance(entry, str | Path):
                eval_splits.append(str(entry))
                continue
            dataset = as_dataset(entry)
            eval_splits.append(f"{self._add_dataset(dataset)}:{dataset.split}")
        return eval_splits

    def _open_split(self, entry: Any) -> str | Path | ReferringDataset:
        """A name without a split as it is; everything else as a dataset."""
        if not isinstance(entry, str | Path):
            dataset = as_dataset(entry)
            if not isinstance(entry, ReferData):  # which has images of no size of its own
                self.image_sizes.add(dataset.image_size)
            return dataset
        name, split = separate_split(entry)
        if split is None:
            return entry
        source = open_data(name, partition=self.partition, images=self.images)
        return ReferringDataset(source, split=split)

    def _add_dataset(self, dataset: ReferringDataset, *, alone: bool = False) -> str:
        """Name a dataset; `alone` hides the other splits of its set."""
        name = self._add(dataset.name, dataset.data)
        count, total = len(dataset), len(dataset.data.expressions.split(dataset.split))
        if count != total:
            return self._add(f"{name}[{count} of {total}]", dataset.item_data())
        if alone and len(dataset.splits) > 1:
            return self._add(f"{name}[{dataset.split}]", dataset.item_data())
        return name

    def _add(self, name: str, source: ReferData) -> str:
        """Keep a source; it gets a number where another one has its name."""
        unique, number = name, 1
        while unique in self.by_name and not _is_same(self.by_name[unique], source):
            number += 1
            unique = f"{name}-{number}"
        self.by_name[unique] = source
        return unique


def _list(data: Any) -> list[Any]:
    is_list = isinstance(data, list | tuple)
    return list(data) if is_list and all(isinstance(e, ENTRY_TYPES) for e in data) else [data]


def _is_same(first: ReferData, second: ReferData) -> bool:
    """Whether two sources are the same data: a set may have been opened twice."""
    if first is second:
        return True
    has_files = not (first.row_images or second.row_images)
    same_files = (first.folder, first.image_folders) == (second.folder, second.image_folders)
    return has_files and same_files and first.expressions == second.expressions
