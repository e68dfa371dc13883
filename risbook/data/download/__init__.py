"""Bring RefCOCO, RefCOCO+ and G-Ref to this machine: annotations, and the photographs they need.

- released_archives: the archives of the REFER project, with their digests;
- hub_rows: the same annotations as rows of Hugging Face, the second way;
- photograph_download: COCO's photographs, one file each, from many connections;
- http_files: one file over HTTP, tried again after a failure;
- set_download: a whole set, and what of it is missing.
"""

from risbook.data.download.photograph_download import download_photographs, missing_photographs
from risbook.data.download.released_archives import download_annotations
from risbook.data.download.set_download import PHOTOGRAPHS, check_set, download_set

__all__ = [
    "PHOTOGRAPHS",
    "check_set",
    "download_annotations",
    "download_photographs",
    "download_set",
    "missing_photographs",
]
