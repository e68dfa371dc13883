"""Adapters: small trained modules inside and between frozen towers.

A new adapter inside one tower is a pure module in a file of its own, a `Placement` of it for
`tower.add_adapter`, and a method that `register_peft_method` adds to `PEFT_METHODS`, so that
checkpoints can name it. `risbook.adapters.peft` applies these methods. An adapter that reads the
other modality gets it as the context of its site, as the Dense Aligner does;
`risbook.adapters.placement` has a small example. An adapter between two towers is called by its
system, as the Bridger is.
"""

from risbook.adapters.bottleneck import Bottleneck
from risbook.adapters.bridger import Bridger, BridgerConfig, Bridgers
from risbook.adapters.caa import CAA
from risbook.adapters.dense_aligner import DenseAligner
from risbook.adapters.dense_placements import (
    AlignerPlacement,
    DenseAlignerConfig,
    TextAdapterConfig,
    TextAdapterPlacement,
    add_dense_aligners,
    add_text_adapters,
)
from risbook.adapters.dmoc import DMoC
from risbook.adapters.glia import GLiA
from risbook.adapters.interactor import Interactor, InteractorT
from risbook.adapters.mica_options import CAAConfig, GLiAConfig, TextMiCAConfig
from risbook.adapters.mica_placements import (
    CAAPlacement,
    GLiAPlacement,
    TextCAAPlacement,
    add_mica_image_adapters,
    add_mica_text_adapters,
)
from risbook.adapters.peft.apply_peft import apply_lora, apply_peft, apply_to_tower
from risbook.adapters.peft.merge_lora import merge_lora
from risbook.adapters.peft.peft_config import PEFTConfig
from risbook.adapters.peft.peft_methods import (
    PEFT_METHODS,
    PEFTMethod,
    list_peft_methods,
    register_peft_method,
)
from risbook.adapters.placement import Parallel, Serial
from risbook.adapters.text_adapter import TextAdapter
from risbook.adapters.text_caa import TextCAA
from risbook.adapters.zoom_layer import ZoomLayer
from risbook.attribute_hints import lazy_attributes
from risbook.towers.sites import Placement, Site

__all__ = [
    "CAA",
    "PEFT_METHODS",
    "AlignerPlacement",
    "Bottleneck",
    "Bridger",
    "BridgerConfig",
    "Bridgers",
    "CAAConfig",
    "CAAPlacement",
    "DMoC",
    "DenseAligner",
    "DenseAlignerConfig",
    "GLiA",
    "GLiAConfig",
    "GLiAPlacement",
    "Interactor",
    "InteractorT",
    "PEFTConfig",
    "PEFTMethod",
    "Parallel",
    "Placement",
    "Serial",
    "Site",
    "TextAdapter",
    "TextAdapterConfig",
    "TextAdapterPlacement",
    "TextCAA",
    "TextCAAPlacement",
    "TextMiCAConfig",
    "ZoomLayer",
    "add_dense_aligners",
    "add_mica_image_adapters",
    "add_mica_text_adapters",
    "add_text_adapters",
    "apply_lora",
    "apply_peft",
    "apply_to_tower",
    "list_peft_methods",
    "merge_lora",
    "register_peft_method",
]

__getattr__ = lazy_attributes(
    "risbook.adapters",
    {},
    {
        "merge_and_unload": "risbook.adapters.merge_lora(model)",
        "lora": "risbook.apply_lora(model, r=8)",
        "loralayer": "risbook.apply_lora(model, r=8)",
        "houlsby": 'risbook.apply_peft(model, "houlsby")',
        "adapter": "risbook.adapters.Bottleneck(embed_dim=768)",
        "adaptformer": 'risbook.apply_peft(model, "adaptformer")',
        "bitfit": 'risbook.apply_peft(model, "bitfit")',
    },
)
