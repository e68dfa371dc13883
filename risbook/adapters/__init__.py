"""Adapters: small parts that learn inside towers that do not."""

from risbook.adapters.bottleneck import Bottleneck
from risbook.adapters.bridger import Bridger, Bridgers
from risbook.adapters.houlsby import Serial
from risbook.adapters.parallel import Parallel
from risbook.adapters.peft_methods import METHODS, Method, tune

__all__ = [
    "METHODS",
    "Bottleneck",
    "Bridger",
    "Bridgers",
    "Method",
    "Parallel",
    "Serial",
    "tune",
]
