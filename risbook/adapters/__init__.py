"""Adapters: small trained modules inside and between frozen towers."""

from risbook.adapters.bottleneck import Bottleneck
from risbook.adapters.bridger import Bridger, BridgerConfig, Bridgers
from risbook.adapters.interactor import Interactor, InteractorT
from risbook.adapters.peft_methods import (
    PEFT_METHODS,
    PEFTMethod,
    apply_lora,
    apply_peft,
    list_adapters,
)
from risbook.adapters.placement import Parallel, Serial
from risbook.adapters.zoom_layer import ZoomLayer

__all__ = [
    "PEFT_METHODS",
    "Bottleneck",
    "Bridger",
    "BridgerConfig",
    "Bridgers",
    "Interactor",
    "InteractorT",
    "PEFTMethod",
    "Parallel",
    "Serial",
    "ZoomLayer",
    "apply_lora",
    "apply_peft",
    "list_adapters",
]
