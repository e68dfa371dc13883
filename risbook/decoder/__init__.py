"""Decoders: from the features of both towers to the mask."""

from risbook.decoder.concatenation import ConcatenationDecoder
from risbook.decoder.global_alignment import GlobalAlignment
from risbook.decoder.hierarchical_alignment import HierarchicalAlignment
from risbook.decoder.mask_head import MaskHead, MaskHeadConfig, register_neck
from risbook.decoder.neck import Neck
from risbook.decoder.projector import Projector

__all__ = [
    "ConcatenationDecoder",
    "GlobalAlignment",
    "HierarchicalAlignment",
    "MaskHead",
    "MaskHeadConfig",
    "Neck",
    "Projector",
    "register_neck",
]
