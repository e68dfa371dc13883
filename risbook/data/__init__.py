"""Referring data: expressions, masks and images, read from files or drawn.

Start with `load` for a torch dataset of one split, or with `open_data` for the annotations of all
splits. Everything that is read is checked on the way in, so that code further on
can trust it; what is wrong ends in a `risbook.errors.DataError` that names file and record.
"""

from typing import TYPE_CHECKING

from risbook.attribute_hints import lazy_attributes
from risbook.data.catalog import list_datasets, open_data
from risbook.data.counts import GREF_PAPER, PUBLISHED, check_counts, is_full_release
from risbook.data.dataset import ReferData
from risbook.data.expressions import Expression, ExpressionTable, Referent
from risbook.data.hf_rows import from_hf_rows
from risbook.data.images import read_image
from risbook.data.instances import Annotation, ImageRecord, Instances, read_instances
from risbook.data.masks import decode_mask, encode_mask, mask_area, mask_box
from risbook.data.photographs import Photograph, load_photograph
from risbook.data.pickles import read_pickle
from risbook.data.refer import read_refer

if TYPE_CHECKING:
    from risbook.data.load_dataset import load
    from risbook.data.referring_dataset import ReferringDataset
    from risbook.data.sample_list import from_samples

__all__ = [
    "GREF_PAPER",
    "PUBLISHED",
    "Annotation",
    "Expression",
    "ExpressionTable",
    "ImageRecord",
    "Instances",
    "Photograph",
    "ReferData",
    "Referent",
    "ReferringDataset",
    "check_counts",
    "decode_mask",
    "encode_mask",
    "from_hf_rows",
    "from_samples",
    "is_full_release",
    "list_datasets",
    "load",
    "load_photograph",
    "mask_area",
    "mask_box",
    "open_data",
    "read_image",
    "read_instances",
    "read_pickle",
    "read_refer",
]

# PyTorch takes seconds to import, and counting expressions needs none of it.
__getattr__ = lazy_attributes(
    "risbook.data",
    {
        "ReferringDataset": "risbook.data.referring_dataset",
        "from_samples": "risbook.data.sample_list",
        "load": "risbook.data.load_dataset",
    },
    {
        "dataset": "risbook.data.ReferringDataset",
        "load_dataset": 'risbook.data.load("refscenes", split="val")',
        "dataloader": "torch.utils.data.DataLoader(data, batch_size=8)",
        "collate_fn": "a DataLoader without collate_fn=: the default works",
        "refcoco": 'risbook.data.load("refcoco", split="val", root=FOLDER)',
        "refcocodataset": 'risbook.data.load("refcoco", split="val", root=FOLDER)',
        "refscenes": 'risbook.data.load("refscenes", split="val")',
        "list": "risbook.data.list_datasets()",
        "from_list": "risbook.data.from_samples(samples)",
        "from_dict": "risbook.data.from_samples(samples)",
    },
)
