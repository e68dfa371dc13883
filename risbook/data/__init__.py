"""Referring data: expressions, masks and images, read from files or drawn.

Start with `load` for a torch dataset of one split, or with `open_data` for the annotations of all
splits. Everything that is read is checked on the way in, so that code further on
can trust it; what is wrong ends in a `risbook.errors.DataError` that names file and record.
"""

from risbook.data.catalog import ReferData, list_datasets, load, open_data
from risbook.data.counts import GREF_PAPER, PUBLISHED, check_counts, is_full_release
from risbook.data.expressions import Expression, ExpressionTable, Referent
from risbook.data.hf_rows import from_hf_rows
from risbook.data.images import read_image
from risbook.data.instances import Annotation, ImageRecord, Instances, read_instances
from risbook.data.masks import decode_mask, encode_mask, mask_area, mask_box
from risbook.data.pickles import read_pickle
from risbook.data.refer import read_refer

__all__ = [
    "GREF_PAPER",
    "PUBLISHED",
    "Annotation",
    "Expression",
    "ExpressionTable",
    "ImageRecord",
    "Instances",
    "ReferData",
    "Referent",
    "check_counts",
    "decode_mask",
    "encode_mask",
    "from_hf_rows",
    "is_full_release",
    "list_datasets",
    "load",
    "mask_area",
    "mask_box",
    "open_data",
    "read_image",
    "read_instances",
    "read_pickle",
    "read_refer",
]
